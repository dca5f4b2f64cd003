using Fovea.Data.Datasets;
using Fovea.Data.Sampling;

namespace Fovea.Data.Streaming;

/// <summary>The rows of several datasets as one stream, one pass over them: one after the other, or in turns.</summary>
internal sealed class StreamMix : IDisposable
{
    private readonly DataOptions options;
    private readonly SourceCursor[] cursors;
    private readonly MixTurns? turns;
    private int current;

    /// <param name="epoch">The pass, from 0: the turns of each are drawn anew.</param>
    public StreamMix(IReadOnlyList<StreamedSource> sources, DataOptions options, int epoch)
    {
        this.options = options;
        cursors = [.. sources.Select((source, i) => new SourceCursor(source, i))];
        turns = options.MixStrategy == MixStrategy.Concat || sources.Count == 1 ? null
            : new MixTurns(sources.Count, options.MixStrategy, options.InterleaveProbs, StreamSeeds.Turns(options.Seed, epoch), wholeRounds: false);
    }

    public StreamMixState State
    {
        get => new([.. cursors.Select(cursor => cursor.State)], current, turns?.State);
        set
        {
            foreach (var (cursor, state) in cursors.Zip(value.Cursors))
            {
                cursor.State = state;
            }

            current = value.Current;
            if (turns is not null)
            {
                turns.State = value.Turns!;
            }
        }
    }

    /// <summary>The next row; null at the end of the pass.</summary>
    /// <exception cref="ConfigException">A file is damaged, or a dataset has no rows.</exception>
    public RowPlace? Next()
    {
        if (turns is null)
        {
            while (current < cursors.Length && !cursors[current].HasMore)
            {
                current++;
            }

            return current < cursors.Length ? cursors[current].Take() : null;
        }

        if (turns.Next() is not { } source)
        {
            return null;
        }

        var cursor = cursors[source];
        if (!cursor.HasMore)
        {
            throw new ConfigException($"dataset '{options.Dataset[source]}' has no rows");
        }

        var place = cursor.Take();
        if (!cursor.HasMore)
        {
            turns.Ended(source);
            if (options.MixStrategy == MixStrategy.InterleaveOver)
            {
                cursor.State = default;
            }
        }

        return place;
    }

    public void Dispose() => Array.ForEach(cursors, cursor => cursor.Dispose());
}
