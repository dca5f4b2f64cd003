using Fovea.Data.Readers;

namespace Fovea.Data.Streaming;

/// <summary>The rows of a file whose places are found all at once (an archive's headers), and kept while it is read from.</summary>
internal sealed class IndexedScan(IRowReader rows) : IRowScan
{
    public bool Next(ref long at, out long start, out int length)
    {
        (start, length) = (at, 0);
        return at++ < rows.Count;
    }

    public Row Read(long start, int length) => rows.Read((int)start);

    public void Dispose() => rows.Dispose();
}
