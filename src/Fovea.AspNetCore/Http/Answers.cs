using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Fovea.AspNetCore.Http;

/// <summary>The answers to one or several prompts of a request, as one stream: an answer's index counts through all prompts.</summary>
internal static class Answers
{
    /// <returns>Pieces with the index of their answer and the number of its prompt.</returns>
    public static async IAsyncEnumerable<(int Index, int Prompt, ServedPiece Piece)> Of(
        ModelServer server, IReadOnlyList<ServedRequest> prompts, [EnumeratorCancellation] CancellationToken cancel)
    {
        if (prompts.Count == 1)
        {
            await foreach (var piece in server.AnswerAsync(prompts[0], cancel).ConfigureAwait(false))
            {
                yield return (piece.Index, 0, piece);
            }

            yield break;
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var all = Channel.CreateUnbounded<(int, int, ServedPiece)>(new UnboundedChannelOptions { SingleReader = true });
        var work = Task.WhenAll(prompts.Select(Answer));
        var end = work.ContinueWith(done => all.Writer.TryComplete(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        try
        {
            await foreach (var piece in all.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                yield return piece;
            }

            await work.ConfigureAwait(false);
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await end.ConfigureAwait(false);
        }

        async Task Answer(ServedRequest prompt, int number)
        {
            try
            {
                await foreach (var piece in server.AnswerAsync(prompt, stop.Token).ConfigureAwait(false))
                {
                    all.Writer.TryWrite(((number * (prompt.Options?.Count ?? 1)) + piece.Index, number, piece));
                }
            }
            catch
            {
                // One that fails ends the request; its error is the first of all.
                all.Writer.TryComplete();
                await stop.CancelAsync().ConfigureAwait(false);
                throw;
            }
        }
    }
}
