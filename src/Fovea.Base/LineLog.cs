using System.Text;

namespace Fovea;

/// <summary>
/// A file of lines that one process appends to while others may read it. Each line is with the system when <see cref="Add"/> returns. A process that was
/// killed leaves at most a part of a line at the end, which counts as never written.
/// </summary>
internal sealed class LineLog : IDisposable
{
    private const byte End = (byte)'\n';
    private readonly FileStream stream;

    private LineLog(FileStream stream) => this.stream = stream;

    /// <summary>Whether it has no line.</summary>
    public bool IsEmpty => stream.Length == 0;

    /// <summary>Opens a file to go on behind its whole lines; it is made where there is none.</summary>
    /// <param name="kept">Gets the whole lines and says how many of them, from the first on, stay; null: all.</param>
    public static LineLog Open(string path, Func<IReadOnlyList<ReadOnlyMemory<byte>>, int>? kept = null)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        try
        {
            var lines = Lines(stream);
            stream.SetLength(lines.Take(kept?.Invoke(lines) ?? lines.Count).Sum(line => line.Length + 1L));
            stream.Seek(0, SeekOrigin.End);
            return new LineLog(stream);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>The whole lines of a file, without their ends.</summary>
    public static IReadOnlyList<ReadOnlyMemory<byte>> Read(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        return Lines(stream);
    }

    /// <summary>The files of all processes that log into a folder, in the order of their names.</summary>
    /// <param name="pattern">Of their names.</param>
    public static IEnumerable<string> Files(string folder, string pattern) =>
        Directory.Exists(folder) ? Directory.EnumerateFiles(folder, pattern).Order(StringComparer.Ordinal) : [];

    /// <param name="line">Without an end.</param>
    public void Add(string line) => stream.Write(Encoding.UTF8.GetBytes(line + "\n"));

    public void Dispose() => stream.Dispose();

    private static List<ReadOnlyMemory<byte>> Lines(FileStream stream)
    {
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        var lines = new List<ReadOnlyMemory<byte>>();
        for (var start = 0; Array.IndexOf(bytes, End, start) is var end and >= 0; start = end + 1)
        {
            lines.Add(bytes.AsMemory(start, end - start));
        }

        return lines;
    }
}
