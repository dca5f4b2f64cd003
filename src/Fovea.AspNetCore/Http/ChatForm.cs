namespace Fovea.AspNetCore.Http;

/// <summary>Replies of <c>/v1/chat/completions</c>.</summary>
/// <param name="usage">Whether pieces say that they have no usage, because a last event has it.</param>
internal sealed class ChatForm(string model, long created, bool logprobs, bool usage) : IReplyForm
{
    private readonly string id = $"chatcmpl-{Guid.NewGuid():N}";

    public object Whole(IReadOnlyList<ServedAnswer> answers, object usage) => new
    {
        id,
        @object = "chat.completion",
        created,
        model,
        choices = answers.Select((answer, index) => new
        {
            index,
            message = new { role = "assistant", content = answer.Text, refusal = (string?)null },
            logprobs = logprobs ? Replies.Logprobs(answer.Tokens) : null,
            finish_reason = Replies.Reason(answer.Reason),
        }),
        usage,
    };

    public object Begin(int index) => Chunk(index, new { role = "assistant", content = string.Empty }, null, null);

    public IEnumerable<object> Piece(int index, ServedPiece piece)
    {
        if (piece.Text.Length > 0 || (logprobs && piece.Tokens.Count > 0))
        {
            yield return Chunk(index, new { content = piece.Text }, logprobs ? Replies.Logprobs(piece.Tokens) : null, null);
        }

        if (piece.Reason is not null)
        {
            yield return Chunk(index, new { }, null, Replies.Reason(piece.Reason));
        }
    }

    public object Last(object usage) => new { id, @object = "chat.completion.chunk", created, model, choices = Array.Empty<object>(), usage };

    private object Chunk(int index, object delta, object? logprobs, string? finish_reason)
    {
        object[] choices = [new { index, delta, logprobs, finish_reason }];
        return usage
            ? new { id, @object = "chat.completion.chunk", created, model, choices, usage = (object?)null }
            : new { id, @object = "chat.completion.chunk", created, model, choices };
    }
}
