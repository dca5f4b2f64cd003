using System.Runtime.ExceptionServices;
using Fovea.Generation.Engine;

namespace Fovea.Generation;

/// <summary>Answers many questions at once with an engine. Images of the next questions are read by other threads meanwhile.</summary>
internal sealed class BatchAnswerer(GenerationEngine engine, Answerer answerer) : IBatchAnswerer
{
    // Prompts that are made ahead: enough that the engine never waits for one, few enough that their pixels take little memory.
    private static readonly int Ahead = 2 * Environment.ProcessorCount;

    public IEnumerable<BatchAnswer> AnswerAll(IEnumerable<AnswerRequest> requests, CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using var next = requests.GetEnumerator();
        var coming = new Queue<(AnswerRequest Request, Task<Prompt> Prompt)>();
        var ready = new Queue<BatchAnswer>();
        var (more, submitted, ended) = (true, 0, 0);
        Exception? broken = null;
        try
        {
            while (true)
            {
                cancel.ThrowIfCancellationRequested();
                Fill();
                while (engine.Load < engine.MostSequences + Ahead && coming.Count > 0 && (coming.Peek().Prompt.IsCompleted || submitted == ended))
                {
                    Submit(coming.Dequeue());
                    Fill();
                }

                var worked = engine.Step();
                if (broken is not null)
                {
                    ExceptionDispatchInfo.Throw(broken);
                }

                while (ready.TryDequeue(out var answer))
                {
                    ended++;
                    yield return answer;
                }

                if (!worked && coming.Count == 0)
                {
                    cancel.ThrowIfCancellationRequested();
                    yield break;
                }
            }
        }
        finally
        {
            // Whoever leaves early wants nothing more of it.
            if (submitted > ended + ready.Count)
            {
                stop.Cancel();
                engine.Step();
            }
        }

        void Fill()
        {
            while (more && coming.Count < Ahead && (more = next.MoveNext()))
            {
                var request = next.Current;
                coming.Enqueue((request, Task.Run(() => answerer.PromptOf(request.Asked), CancellationToken.None)));
            }
        }

        void Submit((AnswerRequest Request, Task<Prompt> Prompt) question)
        {
            submitted++;
            try
            {
                answerer.Submit(
                    question.Prompt.GetAwaiter().GetResult(), question.Request.Options, onText: null,
                    answers => ready.Enqueue(new BatchAnswer(question.Request, answers)),
                    Failed, stop.Token);
            }
            catch (FoveaException e)
            {
                Failed(e);
            }

            void Failed(Exception e)
            {
                if (e is FoveaException problem)
                {
                    ready.Enqueue(new BatchAnswer(question.Request, [], problem));
                }
                else
                {
                    broken = e;
                }
            }
        }
    }
}
