using System.Globalization;
using System.Text.Json;

namespace Fovea.Evaluation.IfEval;

/// <summary>Instructions whose following a program can tell: text only.</summary>
internal sealed class IfEvalBenchmark : Benchmark
{
    private const string Hint = "IFEval's input_data.jsonl has rows of key, prompt, instruction_id_list and kwargs";

    public override string Name => "ifeval";

    public override string Title => "IFEval: does the answer follow instructions that a program can check (text only)";

    public override string Rule =>
        "google-research/instruction_following_eval, strict and loose, each instruction of a prompt by its rule. Language: langdetect 1.0.9 with seed "
        + "0, exactly. Sentences: NLTK's punkt with common abbreviations in place of its trained model; words: NLTK's Treebank rules. A letter outside a "
        + "to z is counted as written (the original draws a random letter); a keyword that is no regular expression is not followed.";

    public override string Prompt => "{question}";

    public override int MaxNewTokens => 1280;

    public override IReadOnlyList<BenchmarkItem> Read(BenchmarkInput input)
    {
        var path = input.Data ?? throw new ConfigException($"ifeval needs data: {Hint}");
        var (items, problems) = (new List<BenchmarkItem>(), new List<string>());
        var keys = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (place, row) in JsonLines.Read(Directory.Exists(path) ? Path.Combine(path, "input_data.jsonl") : path, Hint))
        {
            try
            {
                var item = Item(row, input);
                items.Add(keys.Add(item.Id) ? item : throw new ConfigException($"key {item.Id} stands twice"));
            }
            catch (ConfigException e)
            {
                problems.Add($"{place}: {e.Message}");
            }
        }

        return problems.Count > 0 ? throw new ConfigException(Problems.Some(problems))
            : items.Count > 0 ? items
            : throw new ConfigException($"{path} has no rows; {Hint}");
    }

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        var followed = items.Select((item, i) => Truth(item).Follow(answers[i][0])).ToList();
        var groups = items.SelectMany((item, i) => Truth(item).Ids.Zip(followed[i], (id, both) => (Id: id, both.Strict, both.Loose))).ToList();
        return new BenchmarkScore
        {
            Metrics =
            [
                Prompts("prompt_level_strict_acc", [.. followed.Select(all => Array.TrueForAll(all, one => one.Strict))]),
                Instructions("inst_level_strict_acc", [.. followed.Select(all => (all.Count(one => one.Strict), all.Length))]),
                Prompts("prompt_level_loose_acc", [.. followed.Select(all => Array.TrueForAll(all, one => one.Loose))]),
                Instructions("inst_level_loose_acc", [.. followed.Select(all => (all.Count(one => one.Loose), all.Length))]),
            ],
            Items = [.. items.Select((item, i) => Item(Truth(item), followed[i]))],
            Groups =
            [
                .. Grouped("instruction_group", groups, id => id[..id.IndexOf(':', StringComparison.Ordinal)]),
                .. Grouped("instruction", groups, id => id),
            ],
        };
    }

    private static IfEvalTruth Truth(BenchmarkItem item) => (IfEvalTruth)item.Truth!;

    private static MetricValue Prompts(string name, bool[] all) => Means.Of(name, [.. all.Select(one => one ? 1.0 : 0)]);

    private static MetricValue Instructions(string name, (int Followed, int Count)[] all)
    {
        return new MetricValue(name, Share([.. Enumerable.Range(0, all.Length)]), Share);

        double Share(int[] sample) => sample.Sum(i => (double)all[i].Followed) / sample.Sum(i => all[i].Count);
    }

    private static ItemScore Item(IfEvalTruth truth, (bool Strict, bool Loose)[] followed)
    {
        var missed = truth.Ids.Where((_, i) => !followed[i].Strict).ToList();
        return new ItemScore(missed.Count == 0 ? 1 : 0, missed.Count == 0 ? null : $"not followed: {string.Join(", ", missed)}");
    }

    private static IEnumerable<GroupScore> Grouped(string kind, List<(string Id, bool Strict, bool Loose)> all, Func<string, string> group) =>
        all.GroupBy(one => group(one.Id)).OrderBy(some => some.Key, StringComparer.Ordinal).SelectMany(some => (GroupScore[])
        [
            new(kind, some.Key, some.Count(), "inst_level_strict_acc", some.Average(one => one.Strict ? 1.0 : 0)),
            new(kind, some.Key, some.Count(), "inst_level_loose_acc", some.Average(one => one.Loose ? 1.0 : 0)),
        ]);

    private static BenchmarkItem Item(JsonElement row, BenchmarkInput input)
    {
        if (row.ValueKind != JsonValueKind.Object)
        {
            throw new ConfigException($"{JsonText.Kind(row)}, where an object is expected");
        }

        var prompt = Get(row, "prompt", JsonValueKind.String, "text").GetString()!;
        var ids = Get(row, "instruction_id_list", JsonValueKind.Array, "a list").EnumerateArray().ToList();
        var arguments = Get(row, "kwargs", JsonValueKind.Array, "a list").EnumerateArray().ToList();
        if (ids.Count == 0 || ids.Exists(id => id.ValueKind != JsonValueKind.String) || ids.Count != arguments.Count)
        {
            throw new ConfigException("instruction_id_list must name instructions, and kwargs have as many objects");
        }

        var names = ids.ConvertAll(id => id.GetString()!);
        var rules = names.Select((id, i) => InstructionRules.Find(id, new InstructionArguments(arguments[i], id))
            ?? throw Unknown(id)).ToList();
        var question = Questions.Ask(input.Prompt ?? "{question}", prompt);
        return new BenchmarkItem
        {
            Id = Key(row),
            Turns = [Message.User(question)],
            Question = prompt,
            Expected = string.Join(", ", names),
            Groups = new Dictionary<string, string> { ["instruction"] = string.Join(", ", names) },
            Truth = new IfEvalTruth(prompt, names, rules),
        };
    }

    private static ConfigException Unknown(string id) =>
        new($"unknown instruction {id}{(NearestKey.To(id, InstructionRules.Ids) is { } near ? $"; {near} is meant?" : string.Empty)}");

    private static string Key(JsonElement row) => !row.TryGetProperty("key", out var key) ? throw new ConfigException("key is missing")
        : JsonText.Whole(key) is { } whole ? whole.ToString(CultureInfo.InvariantCulture)
        : key.ValueKind == JsonValueKind.String ? key.GetString()!
        : throw new ConfigException($"key must be a number, not {JsonText.Show(key)}");

    private static JsonElement Get(JsonElement row, string name, JsonValueKind kind, string words) =>
        !row.TryGetProperty(name, out var value) ? throw new ConfigException($"{name} is missing")
        : value.ValueKind == kind ? value
        : throw new ConfigException($"{name} must be {words}, not {JsonText.Show(value)}");
}
