using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Fovea.Evaluation.Results;

/// <summary>A result for programs: <c>{"metrics": {name: number}, "samples": [...]}</c> and what belongs to it.</summary>
internal static class ResultJson
{
    /// <summary>Its name in the folder of a result.</summary>
    public const string FileName = "results.json";

    /// <summary>Under which the values of each metric on the samples of the bootstrap stand.</summary>
    public const string ResampledField = "resampled";

    private static readonly JsonWriterOptions Options = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes the file.</summary>
    public static void Write(string path, EvaluationResult result) => AtomicFile.Write(path, stream =>
    {
        using var json = new Utf8JsonWriter(stream, Options);
        json.WriteStartObject();
        json.WriteString("benchmark", result.Benchmark.Name);
        json.WriteString("answerer", result.Answerer);
        json.WriteStartObject("metrics");
        foreach (var metric in result.Score.Metrics)
        {
            Number(json, metric.Name, metric.Value);
        }

        json.WriteEndObject();
        json.WriteStartObject("intervals");
        foreach (var (metric, interval) in result.Score.Metrics.Zip(result.Intervals))
        {
            if (interval is { } known)
            {
                json.WriteStartArray(metric.Name);
                json.WriteNumberValue(known.Low);
                json.WriteNumberValue(known.High);
                json.WriteEndArray();
            }
        }

        json.WriteEndObject();
        json.WriteStartArray("groups");
        foreach (var group in result.Score.Groups)
        {
            json.WriteStartObject();
            json.WriteString("kind", group.Kind);
            json.WriteString("group", group.Group);
            json.WriteNumber("items", group.Items);
            json.WriteString("metric", group.Metric);
            Number(json, "value", group.Value);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartObject("facts");
        foreach (var fact in result.AllFacts)
        {
            json.WriteString(fact.Name, fact.Text);
        }

        json.WriteEndObject();
        Texts(json, "notes", result.Notes);
        json.WriteStartArray("samples");
        for (var i = 0; i < result.Items.Count; i++)
        {
            Sample(json, result, i);
        }

        json.WriteEndArray();
        Resampled(json, result);
        json.WriteEndObject();
    });

    /// <summary>
    /// What a comparison needs: samples of equally many items are the same ones, so that the differences of two results' values are a paired bootstrap's.
    /// </summary>
    private static void Resampled(Utf8JsonWriter json, EvaluationResult result)
    {
        json.WriteStartObject(ResampledField);
        foreach (var (metric, values) in result.Score.Metrics.Zip(result.Resampled).Where(pair => pair.Second.Length > 0))
        {
            json.WritePropertyName(metric.Name);
            json.WriteRawValue($"[{string.Join(',', values.Select(Written))}]"); // on one line
        }

        json.WriteEndObject();

        static string Written(double value) =>
            double.IsFinite(value) ? ((float)value).ToString("R", CultureInfo.InvariantCulture) : "null"; // as exact as an interval needs
    }

    private static void Sample(Utf8JsonWriter json, EvaluationResult result, int i)
    {
        var (item, score) = (result.Items[i], result.Score.Items[i]);
        json.WriteStartObject();
        json.WriteString("id", item.Id);
        json.WriteString("question", item.Question);
        if (result.Answers[i] is [var only])
        {
            json.WriteString("answer", only);
        }
        else
        {
            Texts(json, "answers", result.Answers[i]);
        }

        json.WriteString("expected", item.Expected);
        Number(json, "score", score.Score);
        if (score.Note is { } note)
        {
            json.WriteString("read_as", note);
        }

        if (result.Problems.TryGetValue(i, out var problem))
        {
            json.WriteString("problem", problem);
        }

        if (item.Groups.Count > 0)
        {
            json.WriteStartObject("groups");
            foreach (var (kind, group) in item.Groups)
            {
                json.WriteString(kind, group);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void Texts(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }

    // JSON has no name for what is no number.
    private static void Number(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value))
        {
            json.WriteNumber(name, value);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
