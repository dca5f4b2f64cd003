using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Fovea.Generation;

namespace Fovea.Running;

/// <summary>Answers to many questions, made on the model's thread, as a stream; whoever leaves it cancels the rest.</summary>
internal static class ManyAnswers
{
    // So many wait for a slow reader before the model does.
    private const int Waiting = 64;

    public static async IAsyncEnumerable<AnswerOutcome> Stream(
        VisionModel model, IEnumerable<AnswerRequest> requests, [EnumeratorCancellation] CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var outcomes = Channel.CreateBounded<AnswerOutcome>(new BoundedChannelOptions(Waiting) { SingleReader = true, SingleWriter = true });
        var work = Fill();
        try
        {
            await foreach (var outcome in outcomes.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                yield return outcome;
            }

            await work.ConfigureAwait(false);
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        async Task Fill()
        {
            try
            {
                await model.Run<object?>(
                    () =>
                    {
                        foreach (var answer in model.Loaded.Batch.AnswerAll(requests, stop.Token))
                        {
                            // The thread is the model's own: nobody else waits for it here.
                            outcomes.Writer.WriteAsync(
                                new AnswerOutcome((int)answer.Request.Tag!, answer.Answers, answer.Problem), stop.Token).AsTask().GetAwaiter().GetResult();
                        }

                        return null;
                    },
                    stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                throw new OperationCanceledException(cancel);
            }
            finally
            {
                outcomes.Writer.Complete();
            }
        }
    }
}
