using System.Text.Encodings.Web;
using System.Text.Json;

namespace Fovea.AspNetCore.Http;

/// <summary>Replies in OpenAI's form. What an object here is called is what the client reads.</summary>
internal static class Replies
{
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Bytes(object reply) => JsonSerializer.SerializeToUtf8Bytes(reply, Json);

    public static object Error(ApiException e) => new { error = new { message = e.Message, type = e.Type, param = e.Param, code = e.Code } };

    public static object Usage(IReadOnlyCollection<(int Prompt, ServedUsage Usage)> usages)
    {
        // The answers to one prompt share it.
        var prompts = usages.DistinctBy(one => one.Prompt).ToList();
        var (prompt, made) = (prompts.Sum(one => one.Usage.PromptTokens), usages.Sum(one => one.Usage.CompletionTokens));
        return new
        {
            prompt_tokens = prompt,
            completion_tokens = made,
            total_tokens = prompt + made,
            prompt_tokens_details = new { cached_tokens = prompts.Sum(one => one.Usage.CachedTokens) },
        };
    }

    public static string? Reason(StopReason? reason) => reason switch
    {
        null => null,
        StopReason.Length => "length",
        _ => "stop",
    };

    /// <summary>Log probabilities of a chat.</summary>
    public static object Logprobs(IReadOnlyList<ServedToken> tokens) => new
    {
        content = tokens.Select(token => new
        {
            token = token.Text,
            logprob = Finite(token),
            bytes = Bytes(token),
            top_logprobs = token.Top.Select(top => new { token = top.Text, logprob = Finite(top), bytes = Bytes(top) }),
        }),
        refusal = (object?)null,
    };

    /// <summary>Log probabilities of a bare text.</summary>
    /// <param name="offset">Where the first token begins, in characters.</param>
    public static object Logprobs(IReadOnlyList<ServedToken> tokens, int offset)
    {
        var offsets = new List<int>();
        foreach (var token in tokens)
        {
            offsets.Add(offset);
            offset += token.Text.Length;
        }

        return new
        {
            tokens = tokens.Select(token => token.Text),
            token_logprobs = tokens.Select(Finite),
            top_logprobs = tokens.Select(token => token.Top.DistinctBy(top => top.Text).ToDictionary(top => top.Text, Finite)),
            text_offset = offsets,
        };
    }

    // JSON has no infinity.
    private static double Finite(ServedToken token) => Math.Max(token.Logprob ?? 0, -9999);

    private static int[] Bytes(ServedToken token) => [.. token.Bytes.ToArray().Select(value => (int)value)];
}
