namespace Fovea.AspNetCore.Http;

/// <summary>Replies of <c>/v1/completions</c>.</summary>
/// <param name="usage">Whether pieces say that they have no usage, because a last event has it.</param>
internal sealed class CompletionForm(string model, long created, bool logprobs, bool usage) : IReplyForm
{
    private readonly string id = $"cmpl-{Guid.NewGuid():N}";
    private readonly Dictionary<int, int> offsets = [];

    public object Whole(IReadOnlyList<ServedAnswer> answers, object usage) => new
    {
        id,
        @object = "text_completion",
        created,
        model,
        choices = answers.Select((answer, index) => new
        {
            index,
            text = answer.Text,
            logprobs = logprobs ? Replies.Logprobs(answer.Tokens, 0) : null,
            finish_reason = Replies.Reason(answer.Reason),
        }),
        usage,
    };

    public object? Begin(int index) => null;

    public IEnumerable<object> Piece(int index, ServedPiece piece)
    {
        var offset = offsets.GetValueOrDefault(index);
        offsets[index] = offset + piece.Tokens.Sum(token => token.Text.Length);
        object[] choices =
        [
            new
            {
                index,
                text = piece.Text,
                logprobs = logprobs ? Replies.Logprobs(piece.Tokens, offset) : null,
                finish_reason = Replies.Reason(piece.Reason),
            },
        ];
        yield return usage
            ? new { id, @object = "text_completion", created, model, choices, usage = (object?)null }
            : new { id, @object = "text_completion", created, model, choices };
    }

    public object Last(object usage) => new { id, @object = "text_completion", created, model, choices = Array.Empty<object>(), usage };
}
