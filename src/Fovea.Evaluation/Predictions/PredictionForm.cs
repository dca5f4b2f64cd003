using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Fovea.Evaluation.Predictions;

/// <summary>A form of files with answers: the official one of a benchmark where it has one.</summary>
internal abstract class PredictionForm
{
    protected static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>What Fovea calls such a file in the folder of a result.</summary>
    public abstract string FileName { get; }

    /// <summary>The fields, for messages.</summary>
    public abstract string Fields { get; }

    /// <summary>What the file knows an item by.</summary>
    public virtual string KeyOf(BenchmarkItem item) => item.Id;

    /// <summary>Reads a file: a JSON list or JSON lines.</summary>
    /// <exception cref="ConfigException">It cannot be read or is not of this form; names the place.</exception>
    public IReadOnlyList<Prediction> Read(string path)
    {
        var bytes = TextFile.ReadBytes(path, "give the file of answers with --predictions");
        var result = new List<Prediction>();
        if (bytes.Span.TrimStart(" \t\r\n"u8) is [(byte)'[', ..])
        {
            using var list = JsonFile.Parse(bytes, path);
            foreach (var (i, row) in list.RootElement.EnumerateArray().Index())
            {
                result.Add(Row(row, $"{path} (entry {i + 1})"));
            }

            return result;
        }

        var (start, number) = (0, 0);
        while (start < bytes.Length)
        {
            var length = bytes.Span[start..].IndexOf((byte)'\n') is var at and >= 0 ? at : bytes.Length - start;
            number++;
            if (bytes.Span.Slice(start, length).ContainsAnyExcept(" \t\r"u8))
            {
                using var row = JsonFile.Parse(bytes.Slice(start, length), $"{path} (line {number})");
                result.Add(Row(row.RootElement, $"{path} (line {number})"));
            }

            start += length + 1;
        }

        return result;
    }

    /// <summary>The items that a file answers, in their order, with the answers.</summary>
    /// <param name="allowMissing">Items without an answer are left out instead of refused.</param>
    /// <exception cref="ConfigException">The file is malformed, or its answers are not those of the items.</exception>
    public virtual (IReadOnlyList<BenchmarkItem> Items, IReadOnlyList<IReadOnlyList<string>> Answers) Match(
        IReadOnlyList<BenchmarkItem> items, string path, bool allowMissing) => PredictionMatch.Of(items, Read(path), this, path, allowMissing);

    /// <summary>Writes answers.</summary>
    public void Write(string path, IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers) => AtomicFile.Write(path, stream =>
    {
        using var text = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true);
        var list = Path.GetExtension(FileName) == ".json";
        text.Write(list ? "[\n" : string.Empty);
        for (var i = 0; i < items.Count; i++)
        {
            text.Write(Row(items[i], answers[i]) + (list && i < items.Count - 1 ? ",\n" : "\n"));
        }

        text.Write(list ? "]\n" : string.Empty);
    });

    /// <summary>One row as JSON text.</summary>
    protected abstract string Row(BenchmarkItem item, IReadOnlyList<string> answers);

    /// <summary>One row's answer; null where the row is not of this form.</summary>
    protected abstract Prediction? Row(JsonElement row);

    /// <summary>Text, or a number as its file spells it; null for anything else.</summary>
    protected static string? Scalar(JsonElement row, string name) => !row.TryGetProperty(name, out var value) ? null : value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Number => value.GetRawText(),
        _ => null,
    };

    /// <summary>An id as JSON: a number where it is one, as official files have them.</summary>
    protected static string Id(string id) => long.TryParse(id, out var number) && $"{number}" == id ? id : JsonSerializer.Serialize(id, Json);

    private Prediction Row(JsonElement row, string place) => (row.ValueKind == JsonValueKind.Object ? Row(row) : null)
        ?? throw new ConfigException($"{place}: {Fields} are expected, not {JsonText.Show(row)}");
}
