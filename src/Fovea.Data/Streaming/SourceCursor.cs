namespace Fovea.Data.Streaming;

/// <summary>Goes through the rows of one dataset in the order of its files, always one row ahead: it knows when the last was given.</summary>
/// <param name="number">The dataset among all.</param>
internal sealed class SourceCursor(StreamedSource source, int number) : IDisposable
{
    private CursorState state;
    private CursorState before;
    private IRowScan? scan;
    private int groups;
    private RowPlace? ahead;
    private bool hasLooked;

    /// <summary>The state from which the next row comes; setting it goes there.</summary>
    public CursorState State
    {
        // What was seen ahead is not given yet.
        get => hasLooked && ahead is not null ? before : state;
        set
        {
            Close();
            (state, ahead, hasLooked) = (value, null, false);
        }
    }

    /// <summary>Whether there is another row.</summary>
    /// <exception cref="ConfigException">The file is damaged there.</exception>
    public bool HasMore
    {
        get
        {
            if (!hasLooked)
            {
                before = state;
                (ahead, hasLooked) = (Find(), true);
            }

            return ahead is not null;
        }
    }

    /// <summary>The next row, which must be there.</summary>
    public RowPlace Take()
    {
        var place = HasMore ? ahead!.Value : throw new InvalidOperationException("the dataset has ended");
        hasLooked = false;
        return place;
    }

    public void Dispose() => Close();

    private RowPlace? Find()
    {
        for (; state.File < source.Spec.Files.Count; state = Behind())
        {
            if (scan is null)
            {
                groups = source.Groups(state.File);
                scan = groups > 0 ? source.Open(state.File, state.Group) : null;
            }

            var at = state.At;
            if (scan is not null && scan.Next(ref at, out var start, out var length))
            {
                var place = new RowPlace(number, state.File, state.Group, start, length, state.Row, state.FileRow);
                state = state with { At = at, Row = state.Row + 1, FileRow = state.FileRow + 1 };
                return place;
            }

            Close();
        }

        return null;
    }

    private CursorState Behind() => state.Group + 1 < groups
        ? state with { Group = state.Group + 1, At = 0 }
        : new CursorState(state.File + 1, 0, 0, state.Row, 0);

    private void Close()
    {
        scan?.Dispose();
        scan = null;
    }
}
