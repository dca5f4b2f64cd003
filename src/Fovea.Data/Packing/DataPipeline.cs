using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Fovea.Data.Datasets;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;

namespace Fovea.Data.Packing;

/// <summary>
/// Delivers step after step, prepared by background threads: text is encoded and images are decoded just ahead of their use, so the first step is
/// there at once and memory stays bounded. The order does not depend on the threads. Pull with <see cref="TryNext"/> from one thread.
/// </summary>
public sealed class DataPipeline : IDisposable
{
    private readonly SampleLoader _loader;
    private readonly SampleOrder _order;
    private readonly PlanOptions _plan;
    private readonly PipelineOptions _options;
    private readonly int _patchLength;
    private readonly CancellationTokenSource _cancel = new();
    private readonly BlockingCollection<Work> _work = [];
    private readonly BlockingCollection<StepBatch> _ready;
    private readonly Thread[] _threads;
    private ExceptionDispatchInfo? _failure;

    /// <summary><paramref name="order"/> must not be used elsewhere while the pipeline lives.</summary>
    public DataPipeline(
        ConversationSet samples, SampleEncoder encoder, IImageStage? images, SampleOrder order, PlanOptions plan, PipelineOptions options)
    {
        _loader = new SampleLoader(samples, encoder, images, options.OnBadSample);
        _order = order;
        _plan = plan;
        _options = options;
        _patchLength = images?.PatchLength ?? 0;
        _ready = new BlockingCollection<StepBatch>(Math.Max(options.ReadySteps, 1));
        _threads = new Thread[Math.Max(options.Workers, 1) + 1];
        for (var i = 0; i < _threads.Length; i++)
        {
            _threads[i] = new Thread(i == 0 ? Coordinate : Serve) { IsBackground = true, Name = i == 0 ? "data" : $"data {i}" };
        }

        foreach (var thread in _threads)
        {
            thread.Start();
        }
    }

    /// <summary>Finished steps that wait to be taken; 0 again and again means that the data cannot keep up.</summary>
    public int Ready => _ready.Count;

    /// <summary>
    /// The next step, waited for if need be; false after the last. The caller disposes it. Throws what went wrong in the background
    /// (<see cref="BadSampleException"/> under <see cref="BadSamplePolicy.Error"/>) when that step's turn comes.
    /// </summary>
    public bool TryNext([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out StepBatch? step, CancellationToken cancellation = default)
    {
        if (_ready.TryTake(out step, Timeout.Infinite, cancellation))
        {
            return true;
        }

        _failure?.Throw();
        return false;
    }

    /// <summary>Stops the threads, waits for them and frees what was prepared.</summary>
    public void Dispose()
    {
        _cancel.Cancel();
        foreach (var thread in _threads)
        {
            thread.Join();
        }

        while (_ready.TryTake(out var step))
        {
            step.Dispose();
        }

        _ready.Dispose();
        _work.Dispose();
        _cancel.Dispose();
    }

    private void Serve()
    {
        try
        {
            foreach (var work in _work.GetConsumingEnumerable(_cancel.Token))
            {
                try
                {
                    work.Result.SetResult(_loader.Load(work.Index));
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
        catch (OperationCanceledException) when (_cancel.IsCancellationRequested)
        {
            // Disposed while preparing.
        }
        catch (Exception e)
        {
            _failure = ExceptionDispatchInfo.Capture(e);
        }
        finally
        {
            _work.CompleteAdding();
            _ready.CompleteAdding();
        }
    }

    private void Run()
    {
        var ahead = (_threads.Length - 1) * 4;
        var pending = new Queue<Work[][]>();
        var waiting = 0;
        var next = _options.FirstStep;
        for (var step = next; step < _options.EndStep; step++)
        {
            while (next < _options.EndStep && (pending.Count == 0 || waiting < ahead))
            {
                var submitted = Submit(next++);
                waiting += submitted.Sum(g => g.Length);
                pending.Enqueue(submitted);
            }

            var groups = pending.Dequeue();
            waiting -= groups.Sum(g => g.Length);
            var batch = Assemble(step, groups);
            try
            {
                _ready.Add(batch, _cancel.Token);
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
        var batches = _order.BatchesOf(step);
        var groups = new Work[batches.Count][];
        for (var g = 0; g < groups.Length; g++)
        {
            groups[g] = Array.ConvertAll(batches[g], index => new Work(index, new TaskCompletionSource<LoadedSample>()));
            foreach (var work in groups[g])
            {
                _work.Add(work, _cancel.Token);
            }
        }

        return groups;
    }

    private StepBatch Assemble(int step, Work[][] groups)
    {
        var samples = new List<StepSample>[groups.Length];
        var pixels = new Queue<float[]>();
        var bad = new List<BadSample>();
        for (var g = 0; g < groups.Length; g++)
        {
            samples[g] = [];
            foreach (var work in groups[g])
            {
                var task = work.Result.Task;
                try
                {
                    task.Wait(_cancel.Token);
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
                    foreach (var image in loaded.Pixels)
                    {
                        pixels.Enqueue(image);
                    }
                }
            }
        }

        var plan = StepPlanner.Plan(step, samples, _plan);
        foreach (var batch in plan.MicroBatches)
        {
            var target = batch.AllocatePixels(batch.Grids.Sum(g => g.Patches), _patchLength);
            for (var i = 0; i < batch.Grids.Length; i++)
            {
                var image = pixels.Dequeue();
                var values = batch.Grids[i].Patches * _patchLength;
                image.AsSpan(0, values).CopyTo(target);
                target = target[values..];
                ArrayPool<float>.Shared.Return(image);
            }
        }

        plan.BadSamples = bad;
        return plan;
    }

    private sealed record Work(int Index, TaskCompletionSource<LoadedSample> Result);
}
