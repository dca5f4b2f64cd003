using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;

namespace Fovea.Data.Packing;

/// <summary>
/// Delivers step after step, prepared by background threads: text is encoded and images are decoded just ahead of their use, so the first step is
/// there at once and memory stays bounded. The order does not depend on the threads. Pull with <see cref="TryNext"/> from one thread.
/// </summary>
internal sealed class DataPipeline : IStepSource, IDisposable
{
    private readonly SampleLoader loader;
    private readonly IStepOrder order;
    private readonly PlanOptions plan;
    private readonly PipelineOptions options;
    private readonly int patchLength;
    private readonly CancellationTokenSource cancel = new();
    private readonly BlockingCollection<Work> work = [];
    private readonly BlockingCollection<StepBatch> ready;
    private readonly Thread[] threads;
    private readonly Queue<Work[][]> pending = new();
    private ExceptionDispatchInfo? failure;

    /// <summary><paramref name="order"/> must not be used elsewhere while the pipeline lives.</summary>
    public DataPipeline(
        ISampleSet samples, ISampleEncoder encoder, IMediaProcessor? images, IStepOrder order, PlanOptions plan, PipelineOptions options)
    {
        loader = new SampleLoader(samples, encoder, images, options);
        this.order = order;
        this.plan = plan;
        this.options = options;
        patchLength = images?.PatchLength ?? 0;
        ready = new BlockingCollection<StepBatch>(Math.Max(options.ReadySteps, 1));
        threads = new Thread[Math.Max(options.Workers, 1) + 1];
        for (var i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(i == 0 ? Coordinate : Serve) { IsBackground = true, Name = i == 0 ? "data" : $"data {i}" };
        }

        foreach (var thread in threads)
        {
            thread.Start();
        }
    }

    /// <summary>Finished steps that wait to be taken; 0 again and again means that the data cannot keep up.</summary>
    public int Ready => ready.Count;

    /// <summary>
    /// The next step, waited for if need be; false after the last. The caller disposes it. Throws what went wrong in the background
    /// (<see cref="BadSampleException"/> under <see cref="BadSamplePolicy.Error"/>) when that step's turn comes.
    /// </summary>
    public bool TryNext([NotNullWhen(true)] out StepBatch? step, CancellationToken cancellation = default)
    {
        if (ready.TryTake(out step, Timeout.Infinite, cancellation))
        {
            return true;
        }

        failure?.Throw();
        return false;
    }

    /// <summary>Stops the threads, waits for them and frees what was prepared.</summary>
    public void Dispose()
    {
        cancel.Cancel();
        foreach (var thread in threads)
        {
            thread.Join();
        }

        while (ready.TryTake(out var step))
        {
            step.Dispose();
        }

        foreach (var work in pending.SelectMany(groups => groups).SelectMany(group => group))
        {
            work.Drop();
        }

        ready.Dispose();
        this.work.Dispose();
        cancel.Dispose();
    }

    private void Serve()
    {
        try
        {
            foreach (var work in this.work.GetConsumingEnumerable(cancel.Token))
            {
                try
                {
                    work.Result.SetResult(loader.Load(work.Index, work.Epoch));
                }
                catch (Exception e)
                {
                    work.Result.SetException(e);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed while waiting for work.
        }
    }

    private void Coordinate()
    {
        try
        {
            Run();
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // Disposed while preparing.
        }
        catch (Exception e)
        {
            failure = ExceptionDispatchInfo.Capture(e);
        }
        finally
        {
            this.work.CompleteAdding();
            ready.CompleteAdding();
        }
    }

    private void Run()
    {
        var ahead = options.SamplesAhead;
        var waiting = 0;
        var next = options.FirstStep;
        for (var step = next; step < options.EndStep; step++)
        {
            while (next < options.EndStep && (pending.Count == 0 || waiting < ahead))
            {
                var submitted = Submit(next++);
                waiting += submitted.Sum(g => g.Length);
                pending.Enqueue(submitted);
            }

            // Taken off when the batch owns what was loaded: what is left here at the end is dropped.
            var groups = pending.Peek();
            var batch = Assemble(step, groups);
            waiting -= groups.Sum(g => g.Length);
            pending.Dequeue();
            try
            {
                ready.Add(batch, cancel.Token);
            }
            catch
            {
                batch.Dispose();
                throw;
            }
        }
    }

    private Work[][] Submit(int step)
    {
        var batches = order.BatchesOf(step);
        var epochs = order.EpochsOf(step);
        var groups = new Work[batches.Count][];
        for (var g = 0; g < groups.Length; g++)
        {
            groups[g] = Array.ConvertAll(batches[g], index => new Work(index, options.IsTraining ? epochs[g] : null, new TaskCompletionSource<LoadedSample>()));
            foreach (var work in groups[g])
            {
                this.work.Add(work, cancel.Token);
            }
        }

        return groups;
    }

    private StepBatch Assemble(int step, Work[][] groups)
    {
        var samples = new List<StepSample>[groups.Length];
        var images = new Queue<LoadedImage>();
        var bad = new List<BadSample>();
        for (var g = 0; g < groups.Length; g++)
        {
            samples[g] = [];
            foreach (var work in groups[g])
            {
                var task = work.Result.Task;
                try
                {
                    task.Wait(cancel.Token);
                }
                catch (AggregateException)
                {
                    // Thrown again below as it was.
                }

                var loaded = task.GetAwaiter().GetResult();
                bad.AddRange(loaded.Bad);
                if (loaded.Sample is not null)
                {
                    samples[g].Add(loaded.Sample);
                    foreach (var image in loaded.Images)
                    {
                        images.Enqueue(image);
                    }
                }
            }
        }

        var plan = StepPlanner.Plan(step, samples, this.plan);
        foreach (var batch in plan.MicroBatches)
        {
            var loaded = Array.ConvertAll(batch.Grids, _ => images.Dequeue());
            batch.Tickets = Array.ConvertAll(loaded, image => image.Ticket);
            var target = batch.AllocatePixels(batch.Grids.Where((_, i) => batch.NeedsPixels(i)).Sum(g => g.Patches), patchLength);
            for (var i = 0; i < loaded.Length; i++)
            {
                if (loaded[i].Pixels is { } pixels)
                {
                    var values = batch.Grids[i].Patches * patchLength;
                    pixels.AsSpan(0, values).CopyTo(target);
                    target = target[values..];
                    ArrayPool<float>.Shared.Return(pixels);
                }
            }
        }

        plan.BadSamples = bad;
        return plan;
    }

    private sealed record Work(int Index, int? Epoch, TaskCompletionSource<LoadedSample> Result)
    {
        /// <summary>Gives back what no batch will take. All threads have ended.</summary>
        internal void Drop()
        {
            if (Result.Task.IsCompletedSuccessfully)
            {
                foreach (var image in Result.Task.Result.Images)
                {
                    image.Ticket?.Dispose();
                }
            }
        }
    }
}
