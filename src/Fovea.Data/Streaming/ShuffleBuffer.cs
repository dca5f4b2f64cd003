namespace Fovea.Data.Streaming;

/// <summary>
/// Shuffles a stream as far as a buffer reaches: a row that comes takes the place of one that is drawn from those that wait; at the end the rest is
/// shuffled. Places of rows are held, not the rows. Equals <c>IterableDataset.shuffle(buffer_size, seed)</c> of Hugging Face's datasets.
/// </summary>
/// <param name="size">Rows that wait; 0 leaves the stream as it is.</param>
internal sealed class ShuffleBuffer(int size, NumpyRandom random)
{
    // The original draws so many numbers at once, and goes on from behind them when it shuffles the rest.
    private const int Draws = 1000;
    private readonly List<RowPlace> waiting = [];
    private readonly Queue<int> drawn = new();
    private string drawnFrom = random.State;
    private int given = -1;

    /// <summary>Rows that wait.</summary>
    public int Count => waiting.Count;

    public ShuffleBufferState State
    {
        get => new([.. waiting], drawn.Count > 0 ? drawnFrom : random.State, drawn.Count, given);
        set
        {
            waiting.Clear();
            waiting.AddRange(value.Waiting);
            (random.State, given) = (value.Random, value.Given);
            drawn.Clear();
            if (value.Drawn > 0)
            {
                Draw();
                while (drawn.Count > value.Drawn)
                {
                    drawn.Dequeue();
                }
            }
        }
    }

    /// <summary>The next row of the shuffled stream; null at its end.</summary>
    /// <param name="next">The next row of the stream; null at its end.</param>
    public RowPlace? Next(Func<RowPlace?> next)
    {
        if (size == 0)
        {
            return next();
        }

        while (given < 0)
        {
            if (next() is not { } row)
            {
                random.Shuffle(waiting);
                given = 0;
            }
            else if (waiting.Count < size)
            {
                waiting.Add(row);
            }
            else
            {
                if (drawn.Count == 0)
                {
                    Draw();
                }

                var place = drawn.Dequeue();
                (var chosen, waiting[place]) = (waiting[place], row);
                return chosen;
            }
        }

        return given < waiting.Count ? waiting[given++] : null;
    }

    private void Draw()
    {
        drawnFrom = random.State;
        for (var i = 0; i < Draws; i++)
        {
            drawn.Enqueue((int)random.NextBelow((uint)size));
        }
    }
}
