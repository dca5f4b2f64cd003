namespace Fovea.Generation.Sampling;

/// <summary>
/// What the choosers of a batch want changed in its logits [N, V] before they choose: places, counted through all rows, and what happens there.
/// </summary>
/// <param name="vocabulary">V.</param>
internal sealed class LogitEdits(int vocabulary)
{
    /// <summary>Logits to be multiplied where negative and divided elsewhere, and by what.</summary>
    public (List<long> Places, List<float> Penalties) Repeated { get; } = ([], []);

    /// <summary>Logits to be taken out.</summary>
    public List<long> Forbidden { get; } = [];

    /// <summary>Rows of which only some tokens may stay, and which: one bit each, and those that stay besides.</summary>
    public List<(int Row, ulong[] Allowed)> Kept { get; } = [];

    /// <summary>What is added, and where.</summary>
    public (List<long> Places, List<float> Values) Added { get; } = ([], []);

    public int Vocabulary => vocabulary;

    public void Repeat(int row, int id, float penalty)
    {
        if (id < vocabulary)
        {
            Repeated.Places.Add(Place(row, id));
            Repeated.Penalties.Add(penalty);
        }
    }

    public void Forbid(int row, int id)
    {
        if (id < vocabulary)
        {
            Forbidden.Add(Place(row, id));
        }
    }

    public void Add(int row, int id, float value)
    {
        if (id < vocabulary)
        {
            Added.Places.Add(Place(row, id));
            Added.Values.Add(value);
        }
    }

    private long Place(int row, int id) => ((long)row * vocabulary) + id;
}
