using Microsoft.Win32.SafeHandles;

namespace Fovea.Data.Readers;

/// <summary>Lines and columns of places in a file, counted where one is asked for: once over the file, however many are. From any thread.</summary>
/// <param name="start">Where the text begins, behind a byte order mark.</param>
internal sealed class FileLines(SafeFileHandle handle, long start)
{
    private const int Block = 1 << 16;
    private readonly Lock gate = new();
    private readonly byte[] buffer = new byte[Block];

    // The line in which each block begins, and where that line does.
    private readonly List<(long Line, long Start)> blocks = [(1, start)];

    public TextPlace Of(long at)
    {
        lock (gate)
        {
            var (block, rest) = Math.DivRem(at - start, Block);
            while (blocks.Count <= block)
            {
                blocks.Add(Pass(blocks.Count - 1, Block));
            }

            var line = Pass((int)block, (int)rest);
            return new TextPlace(line.Line, at - line.Start + 1);
        }
    }

    /// <summary>The line behind the first bytes of a block.</summary>
    private (long Line, long Start) Pass(int block, int length)
    {
        var (line, from) = (blocks[block], start + ((long)block * Block));
        for (var filled = 0; filled < length;)
        {
            var read = RandomAccess.Read(handle, buffer.AsSpan(0, length - filled), from + filled);
            if (read == 0)
            {
                break; // the file has become shorter
            }

            var bytes = buffer.AsSpan(0, read);
            if (bytes.LastIndexOf((byte)'\n') is var last and >= 0)
            {
                line = (line.Line + bytes.Count((byte)'\n'), from + filled + last + 1);
            }

            filled += read;
        }

        return line;
    }
}
