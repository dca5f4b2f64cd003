namespace Fovea.Data.Readers;

/// <summary>Where the rows of a file begin and how long they are: 12 bytes a row.</summary>
internal sealed class RowPlaces(string path)
{
    private readonly List<long> starts = [];
    private readonly List<int> lengths = [];

    internal int Count => starts.Count;

    internal (long Start, int Length) this[int row] => (starts[row], lengths[row]);

    /// <exception cref="ConfigException">No row can be so long.</exception>
    internal void Add(long start, long end)
    {
        if (end - start > Array.MaxLength)
        {
            throw new ConfigException(
                $"data file {path}: row {Count + 1} is {end - start} bytes long, which is more than a row can have; is a line break missing?");
        }

        starts.Add(start);
        lengths.Add((int)(end - start));
    }
}
