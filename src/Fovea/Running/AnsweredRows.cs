using Fovea.Generation;

namespace Fovea.Running;

/// <summary>Answers held-out conversations, many at a time. For the thread that owns the model.</summary>
internal static class AnsweredRows
{
    /// <exception cref="ConfigException">A conversation does not end with a question and its answer.</exception>
    /// <exception cref="FoveaException">One of them cannot be answered.</exception>
    public static IReadOnlyList<AnsweredRow> Of(
        IBatchAnswerer answerer, IReadOnlyList<Conversation> heldOut, GenerationOptions options, CancellationToken cancel)
    {
        if (heldOut.Index().FirstOrDefault(row => row.Item.Messages is not { Count: >= 2 } messages
            || messages[^1].Role != Role.Assistant || messages[^2].Role != Role.User) is { Item: not null } bad)
        {
            throw new ConfigException($"conversation {bad.Index + 1} does not end with a question and the expected answer");
        }

        var requests = heldOut.Select((row, i) => new AnswerRequest(row with { Messages = [.. row.Messages.SkipLast(1)] }, options) { Tag = i });
        var answers = new string[heldOut.Count];
        foreach (var answer in answerer.AnswerAll(requests, cancel))
        {
            answers[(int)answer.Request.Tag!] = answer.Problem is { } problem ? throw problem : answer.Answers[0].Text;
        }

        return [.. heldOut.Select((row, i) => new AnsweredRow(row, answers[i]))];
    }
}
