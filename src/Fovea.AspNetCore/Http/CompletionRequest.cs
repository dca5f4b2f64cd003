using System.Text.Json;

namespace Fovea.AspNetCore.Http;

/// <summary>A body of <c>/v1/completions</c>.</summary>
internal sealed record CompletionRequest(string Model, GenerationOptions Options, StreamFields Stream, IReadOnlyList<ServedRequest> Prompts)
{
    private const int MostPrompts = 64;

    /// <param name="json">The body.</param>
    /// <param name="standard">The model's own settings.</param>
    /// <exception cref="ApiException">Names the first field that is wrong, unknown or not supported.</exception>
    public static CompletionRequest Read(JsonElement json, GenerationOptions standard)
    {
        var fields = new Fields(json, string.Empty);
        var model = fields.Need("model");
        fields.Refuse("suffix", "echo");
        fields.Ignore("user");
        var options = GenerationFields.Read(fields, standard, out var limited);
        if (fields.Int("best_of", 1, 128) is { } best && best != options.Count)
        {
            throw ApiException.Unsupported("best_of", "other numbers than n are");
        }

        var top = fields.Int("logprobs", 0, 20);
        options = options with { Logprobs = top is not null, TopLogprobs = top ?? 0 };
        var stream = StreamFields.Read(fields);
        var prompts = Prompt(fields.Take("prompt") ?? throw ApiException.Invalid("prompt", "is missing"));
        fields.End();
        return new(model, options, stream, [.. prompts.Select(prompt => prompt with { Options = options, FitsWhole = limited })]);
    }

    private static List<ServedRequest> Prompt(JsonElement prompt)
    {
        if (prompt.ValueKind == JsonValueKind.String)
        {
            return [ServedRequest.OfText(prompt.GetString()!)];
        }

        if (prompt.ValueKind != JsonValueKind.Array || prompt.GetArrayLength() == 0)
        {
            throw Wrong();
        }

        var items = prompt.EnumerateArray().ToList();
        if (items.TrueForAll(item => item.ValueKind == JsonValueKind.Number))
        {
            return [ServedRequest.OfIds(Ids(items))];
        }

        return items.Count > MostPrompts ? throw Wrong() :
        [
            .. items.Select(item => item.ValueKind switch
            {
                JsonValueKind.String => ServedRequest.OfText(item.GetString()!),
                JsonValueKind.Array when item.GetArrayLength() > 0 => ServedRequest.OfIds(Ids([.. item.EnumerateArray()])),
                _ => throw Wrong(),
            }),
        ];
    }

    private static List<int> Ids(List<JsonElement> items) =>
        [.. items.Select(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out var id) && id >= 0 ? id : throw Wrong())];

    private static ApiException Wrong() => ApiException.Invalid("prompt", $"must be a text, a list of ids, or a list of at most {MostPrompts} of these");
}
