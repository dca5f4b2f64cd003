using System.Text.Json;
using Fovea.Data.Datasets;
using static Fovea.Data.Datasets.RowFields;

namespace Fovea.Data.Formats;

/// <summary>An instruction, perhaps with an input, and its output; perhaps with earlier pairs.</summary>
internal sealed class AlpacaFormat : IRowFormat
{
    public string Name => "alpaca";

    public DatasetTags? Tags => null;

    public DatasetColumns Columns => new() { Prompt = "instruction", Query = "input", Response = "output" };

    public IReadOnlyList<string> WithoutEffect => ["messages"];

    public DatasetColumns Describe(DatasetColumns common, Func<string, string?> named) => common with
    {
        Prompt = named("prompt") ?? "instruction",
        Query = named("query"),
        Response = named("response") ?? "output",
        History = named("history"),
    };

    public string? KeyFor(string field) => field switch
    {
        "instruction" => "prompt",
        "input" => "query",
        "output" => "response",
        "prompt" or "query" or "response" or "history" => field,
        _ => null,
    };

    public RowShape? Recognise(JsonElement row, DatasetColumns common) => RowShape.First(row, "instruction", "output") is null
        ? null
        : new RowShape(this, common with { Prompt = "instruction", Query = "input", Response = "output", History = "history" }, new DatasetTags());

    public void Read(JsonElement row, RowShape shape, RowDraft draft)
    {
        var (columns, problems) = (shape.Columns, draft.Problems);
        ReadHistory(row, columns, draft);
        var prompt = Text(row, columns.Prompt, problems) ?? string.Empty;
        var query = Text(row, columns.Query, problems) ?? string.Empty;
        var question = prompt.Length == 0 ? query : query.Length == 0 ? prompt : prompt + "\n" + query;
        var before = problems.Count;
        var answer = Text(row, columns.Response, problems);
        if (answer is null && problems.Count == before)
        {
            problems.Add($"has no answer: the field '{columns.Response}' is missing or null");
        }

        Add(question, answer, draft);
    }

    private static void ReadHistory(JsonElement row, DatasetColumns columns, RowDraft draft)
    {
        if (columns.History is not { } history || !row.TryGetProperty(history, out var pairs) || IsEmpty(pairs))
        {
            return;
        }

        if (pairs.ValueKind != JsonValueKind.Array)
        {
            draft.Problems.Add($"{history} must be a list of [question, answer] pairs, not {Kind(pairs)}");
            return;
        }

        foreach (var pair in pairs.EnumerateArray())
        {
            if (pair.ValueKind != JsonValueKind.Array || pair.GetArrayLength() != 2)
            {
                draft.Problems.Add($"{history} must be a list of [question, answer] pairs");
                break;
            }

            Add(TextOf(pair[0], history, draft.Problems), TextOf(pair[1], history, draft.Problems), draft);
        }
    }

    private static void Add(string? question, string? answer, RowDraft draft)
    {
        if (question is not null && answer is not null)
        {
            draft.Messages.AddRange([new DraftMessage(Role.User, question), new DraftMessage(Role.Assistant, answer)]);
        }
    }
}
