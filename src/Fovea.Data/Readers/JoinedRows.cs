namespace Fovea.Data.Readers;

/// <summary>The rows of several files, one file after the other.</summary>
internal sealed class JoinedRows : IRowReader
{
    private readonly IReadOnlyList<IRowReader> files;
    private readonly int[] ends;

    /// <param name="files">Belong to it from here on.</param>
    internal JoinedRows(IReadOnlyList<IRowReader> files)
    {
        this.files = files;
        ends = new int[files.Count];
        for (var i = 0; i < ends.Length; i++)
        {
            ends[i] = checked((i == 0 ? 0 : ends[i - 1]) + files[i].Count);
        }
    }

    public int Count => ends.Length == 0 ? 0 : ends[^1];

    public Row Read(int index)
    {
        var (file, row) = Find(index);
        return files[file].Read(row);
    }

    public string? PlaceOf(int index)
    {
        var (file, row) = Find(index);
        return files[file].PlaceOf(row);
    }

    /// <summary>Which file a row is in, and its number there, both from 0.</summary>
    internal (int File, int Row) Find(int index)
    {
        // The first file that ends behind it; files without rows end where the one before does.
        var (low, high) = (0, ends.Length - 1);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = ends[middle] > index ? (low, middle) : (middle + 1, high);
        }

        return (low, index - (low == 0 ? 0 : ends[low - 1]));
    }

    public void Dispose()
    {
        foreach (var file in files)
        {
            file.Dispose();
        }
    }
}
