using System.Text;

namespace Fovea.Board.Runs;

/// <summary>A file of lines that is appended to, or replaced when a run begins anew.</summary>
internal sealed class GrowingLog
{
    private const int Remembered = 256;
    private readonly List<Dictionary<string, object?>> lines = [];
    private byte[] before = [];
    private long read;

    /// <summary>All whole lines so far.</summary>
    public IReadOnlyList<Dictionary<string, object?>> Lines(RootedFolder files, string path)
    {
        using var file = files.Open(path);
        if (file is null)
        {
            Forget();
            return lines;
        }

        // Where the bytes before the place are others, it is another file.
        var bytes = file.Length >= read ? RootedFolder.ReadFrom(file, read - before.Length) : [];
        if (bytes.Length < before.Length || !bytes.AsSpan(0, before.Length).SequenceEqual(before))
        {
            Forget();
            bytes = RootedFolder.ReadFrom(file, 0);
        }

        var end = Array.LastIndexOf(bytes, (byte)'\n') + 1;
        if (end > before.Length)
        {
            lines.AddRange(LogLines.Of(Encoding.UTF8.GetString(bytes.AsSpan(before.Length, end - before.Length))));
            read += end - before.Length;
            before = bytes[Math.Max(0, end - Remembered)..end];
        }

        return lines;
    }

    private void Forget()
    {
        lines.Clear();
        (before, read) = ([], 0);
    }
}
