using System.Text.Json;
using System.Text.RegularExpressions;
using Fovea.Data.Datasets;

namespace Fovea.Data.Templates;

/// <summary>
/// Which answers are trained and what stretches of them weigh in the loss, as ms-swift's <c>loss_scale</c>: what is trained at all (<c>default</c>,
/// <c>last_round</c> or <c>all</c>), and behind it maps from expressions to weights, by name or as JSON files, joined by <c>+</c>. Maps are applied in order,
/// and their weights are multiplied. Usable from several threads at once.
/// </summary>
internal sealed class LossScaleRule
{
    private const string Key = "loss_scale";

    // An expression of a user's may run on and on.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private static readonly string[] Strategies = ["default", "last_round", "all"];

    /// <summary>ms-swift's own maps that need no more than the answer.</summary>
    private static readonly Dictionary<string, (string, double[])[]> Named = new()
    {
        ["react"] =
        [
            ("Action:", [2, 2]), ("Action Input:", [2, 2]), ("Thought:", [1, 1]), ("Final Answer:", [1, 1]), ("Observation:", [2, 0]),
        ],
        ["alpha_umi"] =
        [
            ("Action:", [2, 2]), ("Action Input:", [2, 2]), ("Thought:", [1, 1]), ("Final Answer:", [1, 1]), ("Observation:", [2, 0]), ("Next:", [2, 2]),
        ],
        ["qwen"] = [("✿FUNCTION✿:", [2, 2]), ("✿ARGS✿:", [2, 2]), ("✿RETURN✿:", [1, 1]), ("✿RESULT✿:", [2, 0])],
        ["hermes"] = [("<tool_call>.+?</tool_call>", [2])],
        ["ignore_think_prefix"] = [("^<think>\\n?", [0])],
        ["ignore_empty_think"] =
        [
            ("^<think>\\s*</think>\\s*", [0]),
            ("^<seed:think><seed:cot_budget_reflect>The current thinking budget is 0, so I will directly start answering the question."
                + "</seed:cot_budget_reflect>\\n</seed:think>\\s*", [0]),
            ("^</think>\\s*", [0]),
            ("^<\\|channel>thought\\n<channel\\|>", [0]),
            ("^</mm:think>\\s*", [0]),
        ],
    };

    private readonly List<Map> maps = [];

    private LossScaleRule(string strategy) => Strategy = strategy;

    /// <summary><c>default</c>: answers; <c>last_round</c>: the last one; <c>all</c>: prompts too.</summary>
    public string Strategy { get; }

    /// <summary>Whether stretches of answers have weights of their own.</summary>
    public bool HasMaps => maps.Count > 0;

    /// <param name="text">As <c>loss_scale</c> is written.</param>
    /// <exception cref="ConfigException">It names what is not known, or a file that cannot be used.</exception>
    public static LossScaleRule Read(string text)
    {
        string[] parts = text.Split('+', StringSplitOptions.TrimEntries);
        var scale = new LossScaleRule(Strategies.Contains(parts[0]) ? parts[0] : Strategies[0]);
        foreach (var part in Strategies.Contains(parts[0]) ? parts[1..] : parts)
        {
            scale.maps.Add(Named.TryGetValue(part, out var known) ? new Map(known, $"{Key}: {part}")
                : part.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? ReadFile(part)
                : throw new ConfigException(Strategies.Contains(part) ? $"{Key}: '{part}' comes first where it is joined with others: {part}+..."
                    : part == "agentflan"
                    ? $"{Key}: agentflan weighs answers by their questions, which is not supported; write a map of its answers as a JSON file"
                    : $"{Key}: '{Brief.Of(part)}' is not known; it must be {string.Join(", ", Strategies)}, one of {string.Join(", ", Named.Keys)}, "
                        + "or a JSON file of expressions and weights ({\"expression\": [weight]}), several joined by +"));
        }

        return scale;
    }

    /// <summary>For encoders that train every answer as one.</summary>
    /// <exception cref="ConfigException">More is asked for.</exception>
    public static void Refuse(DataOptions options)
    {
        if (options.LossScale is { } text && (options.Scale is not null || Read(text).Strategy != Strategies[0]))
        {
            throw new ConfigException(
                $"{Key}: {text} is not known to the data code of this model's family, which trains every answer as one; set template: chat_template");
        }
    }

    /// <summary>The stretches of an answer with their weights, in order; neighbours of the same weight are one.</summary>
    /// <exception cref="RegexMatchTimeoutException">An expression does not come to an end.</exception>
    public IReadOnlyList<(string Text, float Weight)> Split(string answer)
    {
        List<(string Text, float Weight)> pieces = [(answer, 1)];
        foreach (var map in maps)
        {
            pieces = [.. pieces.SelectMany(piece => map.Split(piece.Text).Select(inner => (inner.Text, piece.Weight * inner.Weight)))];
        }

        return Joined(pieces);
    }

    /// <summary>Neighbours of the same weight as one.</summary>
    public static IReadOnlyList<(string Text, float Weight)> Joined(IEnumerable<(string Text, float Weight)> pieces)
    {
        var joined = new List<(string Text, float Weight)>();
        foreach (var (text, weight) in pieces.Where(piece => piece.Text.Length > 0))
        {
            if (joined.Count > 0 && joined[^1].Weight.Equals(weight))
            {
                joined[^1] = (joined[^1].Text + text, weight);
            }
            else
            {
                joined.Add((text, weight));
            }
        }

        return joined;
    }

    private static Map ReadFile(string given)
    {
        var what = $"{Key}: {given}";
        if (UserPath.TryExpand(given, out var path) is { } why)
        {
            throw new ConfigException($"{what} is no path: {why}");
        }

        if (!File.Exists(path))
        {
            throw new ConfigException($"{what} is not there{(Path.IsPathRooted(given) ? string.Empty : $" ({Path.GetFullPath(path)})")}");
        }

        using var json = JsonFile.ReadObject(path);
        var problems = new List<string>();
        var entries = new List<(string, double[])>();
        foreach (var property in json.RootElement.EnumerateObject())
        {
            double[] weights = property.Value.ValueKind == JsonValueKind.Array ? [.. property.Value.EnumerateArray().Select(Weight)] : [];
            if (weights.Length is not (1 or 2) || !Array.TrueForAll(weights, weight => weight >= 0 && float.IsFinite((float)weight)))
            {
                problems.Add($"{what}: '{Brief.Of(property.Name)}' must have a list of one weight (for what the expression finds) or two (for the word and for "
                    + "what follows it), each at least 0");
            }

            entries.Add((property.Name, weights));
        }

        return problems.Count > 0 ? throw new ConfigException(problems)
            : entries.Count == 0 ? throw new ConfigException($"{what} names no expression")
            : new Map(entries, what);

        static double Weight(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) ? number : -1;
    }

    /// <summary>
    /// Words with two weights divide a text: the word has the first, what follows up to the next word the second. Where no entry has two, entries are
    /// expressions whose finds have the weight. Everything else weighs 1.
    /// </summary>
    private sealed class Map
    {
        private readonly (Regex Begins, double[] Weights)[] entries;
        private readonly Regex divider;
        private readonly bool words;

        public Map(IReadOnlyList<(string Key, double[] Weights)> given, string what)
        {
            words = given.Any(entry => entry.Weights.Length == 2);
            List<(string Pattern, double[] Weights)> used =
                [.. given.Where(entry => !words || entry.Weights.Length == 2).Select(entry => (words ? Regex.Escape(entry.Key) : entry.Key, entry.Weights))];
            entries = [.. used.Select(entry => (Compile($@"\A(?:{entry.Pattern})", entry.Pattern, what), entry.Weights))];
            divider = Compile(string.Join('|', used.Select(entry => $"(?:{entry.Pattern})")), given[0].Key, what);
        }

        public IEnumerable<(string Text, float Weight)> Split(string text)
        {
            var at = 0;
            var behind = 1f;
            foreach (Match match in divider.Matches(text))
            {
                if (match.Length == 0)
                {
                    continue;
                }

                yield return (text[at..match.Index], words ? behind : WeightOf(text[at..match.Index])[0]);
                var weights = WeightOf(match.Value);
                yield return (match.Value, weights[0]);
                (at, behind) = (match.Index + match.Length, weights[^1]);
            }

            yield return (text[at..], words ? behind : WeightOf(text[at..])[0]);
        }

        /// <summary>Of the first entry with which a piece begins, as in ms-swift also where the piece goes on behind it.</summary>
        private float[] WeightOf(string piece)
        {
            foreach (var (begins, weights) in entries)
            {
                if (begins.IsMatch(piece))
                {
                    return Array.ConvertAll(weights, weight => (float)weight);
                }
            }

            return [1];
        }

        private static Regex Compile(string pattern, string key, string what)
        {
            try
            {
                return new Regex(pattern, RegexOptions.Singleline | RegexOptions.CultureInvariant, Patience);
            }
            catch (ArgumentException e)
            {
                throw new ConfigException($"{what}: '{Brief.Of(key)}' is no regular expression: {e.Message}");
            }
        }
    }
}
