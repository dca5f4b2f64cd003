using System.Text.Json;

namespace Fovea.Evaluation.Results;

/// <summary>A result as it lies in a file.</summary>
internal sealed record SavedResult
{
    /// <summary>The folder or file that was named.</summary>
    public required string Path { get; init; }

    public required string Benchmark { get; init; }

    /// <summary>What answered; may be empty.</summary>
    public required string Answerer { get; init; }

    public required IReadOnlyList<KeyValuePair<string, double>> Metrics { get; init; }

    public required IReadOnlyList<SavedSample> Samples { get; init; }

    /// <summary>The values of metrics on the samples of the bootstrap, where the file has them.</summary>
    public IReadOnlyDictionary<string, double[]> Resampled { get; init; } = new Dictionary<string, double[]>();

    /// <param name="path">The folder of a result, or the JSON file.</param>
    /// <exception cref="ConfigException">There is none, or it is not one of Fovea's.</exception>
    public static SavedResult Read(string path)
    {
        var file = Directory.Exists(path) ? System.IO.Path.Combine(path, ResultJson.FileName) : path;
        using var json = JsonFile.ReadObject(file, "name the folder of a result (--output) or its JSON file (--json)");
        var root = json.RootElement;
        try
        {
            return new SavedResult
            {
                Path = path,
                Benchmark = root.GetProperty("benchmark").GetString()!,
                Answerer = root.GetProperty("answerer").GetString()!,
                Metrics = [.. root.GetProperty("metrics").EnumerateObject().Where(metric => metric.Value.ValueKind == JsonValueKind.Number)
                    .Select(metric => KeyValuePair.Create(metric.Name, metric.Value.GetDouble()))],
                Samples = [.. root.GetProperty("samples").EnumerateArray().Select(Sample)],
                Resampled = root.TryGetProperty(ResultJson.ResampledField, out var resampled)
                    ? resampled.EnumerateObject().ToDictionary(metric => metric.Name, metric => metric.Value.EnumerateArray().Select(Number).ToArray())
                    : new Dictionary<string, double[]>(),
            };
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException)
        {
            throw new ConfigException($"{file}: not a result of `fovea evaluate`: {e.Message}");
        }
    }

    private static SavedSample Sample(JsonElement sample) => new(
        sample.GetProperty("id").GetString()!,
        sample.GetProperty("question").GetString()!,
        sample.TryGetProperty("answer", out var one)
            ? one.GetString()!
            : string.Join("\n", sample.GetProperty("answers").EnumerateArray().Select(answer => answer.GetString())),
        sample.GetProperty("expected").GetString()!,
        Number(sample.GetProperty("score")) is var score && double.IsFinite(score) ? score : 0);

    private static double Number(JsonElement value) => value.ValueKind == JsonValueKind.Number ? value.GetDouble() : double.NaN;
}
