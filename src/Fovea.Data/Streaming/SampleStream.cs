using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using Fovea.Data.Datasets;
using Fovea.Data.Sampling;

namespace Fovea.Data.Streaming;

/// <summary>
/// Training samples as a stream: rows are found in their files as the run comes to them, mixed and shuffled through a buffer, pass after pass. Every rank goes
/// through the same stream and takes its own batches of it, so that a step has the same samples on any number of ranks. Steps are asked for one after the
/// other by one thread; samples are read by any.
/// </summary>
internal sealed class SampleStream : IStepOrder, ISampleSet, IDisposable
{
    private readonly IReadOnlyList<StreamedSource> sources;
    private readonly DataOptions options;
    private readonly OrderOptions order;
    private readonly int lag;
    private readonly bool keepsStates;
    private readonly int samplesBetweenStates;
    private readonly long stateBytes;
    private readonly Lock gate = new();
    private readonly List<StreamState> states = [];
    private readonly ConcurrentDictionary<int, RowPlace> places = new();
    private readonly Queue<int> known = new();
    private StreamMix mix;
    private ShuffleBuffer buffer;
    private IReadOnlyList<int> epochs = [];
    private int nextStep;
    private int epoch;
    private long taken;
    private bool hasRows;

    /// <param name="order">Whose batches are taken, and how large they are.</param>
    /// <param name="samplesAhead">Samples of this rank that may be prepared before they are trained on.</param>
    /// <param name="keepsStates">Whether <see cref="StateAt"/> is asked for: on the rank that writes checkpoints. A state has a copy of the buffer.</param>
    /// <param name="samplesBetweenStates">A state is kept from time to time; between two a run that goes on takes the few steps again.</param>
    /// <param name="stateBytes">Bytes of the places in the states that are kept, as far as two of them take less.</param>
    /// <exception cref="ConfigException">A dataset cannot be found or opened, or its first rows cannot be used.</exception>
    public SampleStream(
        DataOptions options, OrderOptions order, int samplesAhead, bool keepsStates = true, int samplesBetweenStates = 4096, long stateBytes = 128 << 20)
    {
        (this.options, this.order) = (options, order);
        (this.keepsStates, this.samplesBetweenStates, this.stateBytes) = (keepsStates, samplesBetweenStates, stateBytes);
        lag = (samplesAhead / (order.BatchSize * order.Accumulation)) + 16;
        sources = [.. DatasetCatalog.Resolve(options.Dataset, options.DatasetDir, options.Repositories).Select(spec => new StreamedSource(spec, options))];
        mix = new StreamMix(sources, options, epoch);
        buffer = Buffer();
        try
        {
            Notices = StreamLook.At(sources, options);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What is without effect, as far as the first rows show it.</summary>
    public IReadOnlyList<string> Notices { get; }

    /// <summary>Nobody knows; samples are replaced by none.</summary>
    public int Count => int.MaxValue;

    /// <summary>States that are in memory.</summary>
    internal int StatesKept
    {
        get
        {
            lock (gate)
            {
                return states.Count;
            }
        }
    }

    private int SamplesAStep => order.BatchSize * order.Accumulation * order.WorldSize;

    public Conversation this[int index]
    {
        get
        {
            var problems = new List<string>();
            var place = places[index];
            return sources[place.Source].Read(place, problems) ?? throw new BadSampleException(Place(Bad(place, problems), index));
        }
    }

    public (string Dataset, int Row) Origin(int index) =>
        places.TryGetValue(index, out var place) ? (sources[place.Source].Spec.Name, checked((int)place.Row + 1)) : ("(a sample of the stream)", index + 1);

    public BadSample Place(BadSample bad, int index) =>
        bad.Place is null && places.TryGetValue(index, out var place) ? sources[place.Source].Place(bad, place) : bad;

    public IReadOnlyList<int[]> BatchesOf(int step)
    {
        if (step != nextStep)
        {
            throw new InvalidOperationException($"a stream gives its steps in order: {nextStep} is next, not {step}");
        }

        Keep(step);
        var batches = new int[order.Accumulation][];
        var passes = new int[batches.Length];
        for (var b = 0; b < batches.Length; b++)
        {
            batches[b] = new int[order.BatchSize];
            for (var i = 0; i < order.BatchSize * order.WorldSize; i++)
            {
                var place = Next();
                var index = checked((int)taken++);
                if (i / order.BatchSize == order.Rank)
                {
                    passes[b] = i % order.BatchSize == 0 ? epoch : passes[b];
                    batches[b][i % order.BatchSize] = index;
                    places[index] = place;
                    known.Enqueue(index);
                }
            }
        }

        (nextStep, epochs) = (step + 1, passes);
        Forget();
        return batches;
    }

    public IReadOnlyList<int> EpochsOf(int step) => epochs;

    /// <summary>What a checkpoint after so many steps keeps; from any thread.</summary>
    public StreamState StateAt(int step)
    {
        lock (gate)
        {
            return states.FindLast(state => state.Step <= step) ?? throw new InvalidOperationException($"the stream is beyond step {step}");
        }
    }

    /// <summary>Goes to the step that a checkpoint stands at.</summary>
    /// <param name="checkpoint">Its folder; null is the beginning.</param>
    /// <exception cref="ConfigException">It was made of other data, with another way of mixing it, or without a stream.</exception>
    public void GoTo(int step, string? checkpoint)
    {
        if (checkpoint is not null)
        {
            GoTo(step, StreamStateFile.Read(checkpoint));
        }
    }

    /// <summary>Goes to a step, from a state that <see cref="StateAt"/> gave for it.</summary>
    /// <exception cref="ConfigException">The state is of other data or another way of mixing it.</exception>
    public void GoTo(int step, StreamState state)
    {
        var files = Files();

        // In order: cursors and draws go by the numbers of the sources.
        var place = Enumerable.Range(0, Math.Max(state.Files.Count, files.Count))
            .FirstOrDefault(i => state.Files.ElementAtOrDefault(i) != files.ElementAtOrDefault(i), -1);
        var changed = place < 0 ? null : $"then {state.Files.ElementAtOrDefault(place) ?? "nothing"}, now {files.ElementAtOrDefault(place) ?? "nothing"}";
        if (changed is not null || state.Step > step || state.Mix.Cursors.Count != sources.Count)
        {
            throw new ConfigException($"resume_from_checkpoint: the checkpoint's stream was of other data or other keys ({changed ?? "its datasets differ"}): "
                + "it would not be the same run");
        }

        Begin(state.Epoch);
        (mix.State, buffer.State, taken, nextStep) = (state.Mix, state.Buffer, state.Taken, state.Step);
        lock (gate)
        {
            states.Clear();
            if (keepsStates)
            {
                states.Add(state);
            }
        }

        while (nextStep < step)
        {
            BatchesOf(nextStep);
        }
    }

    public void Dispose()
    {
        mix.Dispose();
        foreach (var source in sources)
        {
            source.Dispose();
        }
    }

    private BadSample Bad(RowPlace place, List<string> problems) =>
        new(sources[place.Source].Spec.Name, checked((int)place.Row + 1), Brief.Join(problems));

    private ShuffleBuffer Buffer() => new(options.DisableShuffling ? 0 : options.BufferSize, StreamSeeds.Buffer(options.Seed, epoch));

    private void Begin(int pass)
    {
        mix.Dispose();
        epoch = pass;
        mix = new StreamMix(sources, options, epoch);
        buffer = Buffer();
        hasRows = false;
    }

    private RowPlace Next()
    {
        while (true)
        {
            if (buffer.Next(mix.Next) is { } place)
            {
                hasRows = true;
                return place;
            }

            // A pass that a run is taken up in has given rows before.
            if (!hasRows && taken == 0)
            {
                throw new ConfigException($"dataset: {string.Join(", ", options.Dataset)} has no rows");
            }

            Begin(epoch + 1);
        }
    }

    private void Keep(int step)
    {
        if (!keepsStates)
        {
            return;
        }

        lock (gate)
        {
            if (states.Count == 0 || (states[^1].Step < step && taken - states[^1].Taken >= SamplesToNextState()))
            {
                states.Add(new StreamState(step, taken, epoch, mix.State, buffer.State, Files()));
            }

            while (states.Count > 1 && states[1].Step <= step - lag)
            {
                states.RemoveAt(0);
            }
        }
    }

    /// <summary>So many that copying a large buffer costs little for each of them, and that the states within the lag are few enough; two at least.</summary>
    private long SamplesToNextState()
    {
        var most = Math.Max(2, stateBytes / Math.Max(1, (long)buffer.Count * Unsafe.SizeOf<RowPlace>()));
        return Math.Max(samplesBetweenStates, Math.Max(buffer.Count / 16, (long)lag * SamplesAStep / (most - 1)));
    }

    private void Forget()
    {
        while (known.TryPeek(out var oldest) && oldest < taken - ((long)lag * SamplesAStep))
        {
            places.TryRemove(known.Dequeue(), out _);
        }
    }

    /// <summary>What places of rows depend on.</summary>
    private List<string> Files() =>
    [
        .. sources.SelectMany(source => source.Spec.Files.Select((file, i) => string.Create(
            CultureInfo.InvariantCulture, $"{source.Spec.Name}, file {i + 1}: {Path.GetFileName(file)}, {new FileInfo(file).Length} bytes"))),
        string.Create(CultureInfo.InvariantCulture, $"buffer_size: {(options.DisableShuffling ? 0 : options.BufferSize)}"),
        string.Create(CultureInfo.InvariantCulture, $"mix_strategy: {options.MixStrategyName} {string.Join(',', options.InterleaveProbs)}"),
    ];
}
