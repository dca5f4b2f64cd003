using System.Text.Json;

namespace Fovea.Evaluation.IfEval;

/// <summary>Answers made elsewhere: rows of prompt and response, which belong to the items with the same prompt.</summary>
internal static class IfEvalResponses
{
    private const int Named = 3;
    private const string Hint = "answers to IFEval are rows of prompt and response";

    /// <summary>The items that have an answer, in their order, and the answers. Prompts that the data has several times take theirs in order.</summary>
    /// <param name="allowMissing">Items without an answer are left out instead of refused.</param>
    /// <exception cref="ConfigException">The file is malformed; answers are missing, are there twice or belong to no prompt.</exception>
    public static (IReadOnlyList<BenchmarkItem> Items, IReadOnlyList<IReadOnlyList<string>> Answers) Read(
        string path, IReadOnlyList<BenchmarkItem> items, bool allowMissing = false)
    {
        var responses = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        foreach (var (place, row) in JsonLines.Read(path, Hint))
        {
            var prompt = Text(row, "prompt", place);
            if (!responses.TryGetValue(prompt, out var some))
            {
                responses[prompt] = some = [];
            }

            some.Add(Text(row, "response", place));
        }

        var known = items.GroupBy(item => ((IfEvalTruth)item.Truth!).Prompt, StringComparer.Ordinal).ToDictionary(same => same.Key, same => same.Count());
        string?[] problems =
        [
            Problem(responses.Keys.Where(prompt => !known.ContainsKey(prompt)), "belong to no prompt of the data"),
            Problem(responses.Keys.Where(prompt => known.TryGetValue(prompt, out var count) && responses[prompt].Count > count), "are there twice"),
            allowMissing ? null : Problem(known.Keys.Where(prompt => (responses.GetValueOrDefault(prompt)?.Count ?? 0) < known[prompt]), "are missing"),
        ];
        if (problems.OfType<string>().ToList() is { Count: > 0 } found)
        {
            throw new ConfigException(found.ConvertAll(problem => $"{path}: {problem}"));
        }

        var (answered, answers, used) = (new List<BenchmarkItem>(), new List<IReadOnlyList<string>>(), new Dictionary<string, int>(StringComparer.Ordinal));
        foreach (var item in items)
        {
            var prompt = ((IfEvalTruth)item.Truth!).Prompt;
            var number = used.GetValueOrDefault(prompt);
            if (responses.TryGetValue(prompt, out var some) && number < some.Count)
            {
                answered.Add(item);
                answers.Add([some[number]]);
                used[prompt] = number + 1;
            }
        }

        return (answered, answers);
    }

    private static string? Problem(IEnumerable<string> prompts, string what)
    {
        var all = prompts.ToList();
        var named = string.Join(", ", all.Take(Named).Select(prompt => $"\"{Problems.Brief(prompt)}\""));
        return all.Count == 0 ? null : $"{all.Count} answers {what}: {named}{(all.Count > Named ? ", ..." : string.Empty)}";
    }

    private static string Text(JsonElement row, string name, string place) =>
        row.ValueKind == JsonValueKind.Object && row.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw new ConfigException($"{place}: {name} must be text; {Hint}");
}
