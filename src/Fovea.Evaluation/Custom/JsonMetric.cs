using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Fovea.Evaluation.Custom;

/// <summary>Fields of a JSON answer, by their paths.</summary>
internal sealed partial class JsonMetric(MetricArguments arguments) : CustomMetric
{
    private readonly string[] fields = arguments.Text("fields")?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];
    private readonly double tolerance = arguments.Number("tolerance", 0);
    private readonly bool caseCounts = arguments.Flag("case", false);

    public override string Name => "fields";

    public override string Rule => "share of the expected fields that the JSON in the answer has with an equal value ("
        + (fields.Length == 0 ? "every value of the expected JSON" : string.Join(", ", fields))
        + $"; numbers within {tolerance.ToString(CultureInfo.InvariantCulture)}; texts {(caseCounts ? "with" : "without")} regard to letter case); "
        + "all_fields: rows whose fields are all right; valid_json: answers with JSON in them; per cent";

    public override IReadOnlyList<string> Others => ["all_fields", "valid_json"];

    public override CustomScore Score(string answer, IReadOnlyList<string> expected)
    {
        using var said = Find(answer);
        if (said is null)
        {
            return new CustomScore(0, "no JSON", 0, 0);
        }

        var best = new CustomScore(-1);
        foreach (var truth in expected)
        {
            using var wanted = Parse(truth) ?? throw new ConfigException($"the expected answer is not JSON: {Data.Datasets.Brief.Of(truth)}");
            var paths = fields.Length > 0 ? fields : [.. Leaves(wanted.RootElement, string.Empty)];
            var wrong = paths.Where(path => !Alike(At(said.RootElement, path), At(wanted.RootElement, path))).ToList();
            var share = paths.Length == 0 ? 1 : 1 - (wrong.Count / (double)paths.Length);
            if (share > best.Score)
            {
                best = new CustomScore(share, wrong.Count == 0 ? null : $"wrong: {string.Join(", ", wrong)}", wrong.Count == 0 ? 1 : 0, 1);
            }
        }

        return best;
    }

    /// <summary>The whole answer, else what stands between code fences, else from the first bracket to the last.</summary>
    private static JsonDocument? Find(string answer)
    {
        var fenced = Fence().Match(answer);
        var (open, close) = (answer.AsSpan().IndexOfAny('{', '['), answer.AsSpan().LastIndexOfAny('}', ']'));
        return Parse(answer.Trim())
            ?? (fenced.Success ? Parse(fenced.Groups[1].Value) : null)
            ?? (open >= 0 && close > open ? Parse(answer[open..(close + 1)]) : null);
    }

    private static JsonDocument? Parse(string text)
    {
        try
        {
            return JsonText.Parse(Encoding.UTF8.GetBytes(text));
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static IEnumerable<string> Leaves(JsonElement value, string path) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().SelectMany(field => Leaves(field.Value, path.Length == 0 ? field.Name : $"{path}.{field.Name}")),
        JsonValueKind.Array => value.EnumerateArray().SelectMany((item, i) => Leaves(item, $"{path}[{i}]")),
        _ => [path],
    };

    /// <summary>Follows a path such as <c>items[0].price</c>.</summary>
    private static JsonElement? At(JsonElement value, string path)
    {
        foreach (Match step in Step().Matches(path))
        {
            if (step.Groups[2].Success)
            {
                var index = int.Parse(step.Groups[2].Value, CultureInfo.InvariantCulture);
                if (value.ValueKind != JsonValueKind.Array || index >= value.GetArrayLength())
                {
                    return null;
                }

                value = value[index];
            }
            else if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(step.Groups[1].Value, out value))
            {
                return null;
            }
        }

        return value;
    }

    private bool Alike(JsonElement? said, JsonElement? wanted)
    {
        if (said is not { } a || wanted is not { } b)
        {
            return said is null && wanted is null;
        }

        if (Number(a) is { } x && Number(b) is { } y && (a.ValueKind == JsonValueKind.Number || b.ValueKind == JsonValueKind.Number))
        {
            return Math.Abs(x - y) <= tolerance + (1e-9 * Math.Abs(y));
        }

        return a.ValueKind == b.ValueKind && (a.ValueKind == JsonValueKind.String
            ? ExactMetric.Plain(a.GetString()!).Equals(ExactMetric.Plain(b.GetString()!), ExactMetric.Comparison(caseCounts))
            : JsonElement.DeepEquals(a, b));
    }

    // "3.50" is as good as 3.5 where a number stands on the other side.
    private static double? Number(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number => value.GetDouble(),
        JsonValueKind.String when double.TryParse(value.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => number,
        _ => null,
    };

    [GeneratedRegex(@"```(?:json)?\s*(.*?)```", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Fence();

    [GeneratedRegex(@"([^.\[\]]+)|\[(\d+)\]")]
    private static partial Regex Step();
}
