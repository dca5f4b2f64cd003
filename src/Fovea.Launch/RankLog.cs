using System.Globalization;
using System.Text;

namespace Fovea.Launch;

/// <summary>
/// What one rank prints, in a file <c>rank_N.log</c>: first in a temporary folder, later in the run's own, since a run judges
/// its output folder by what lies in it.
/// </summary>
internal sealed class RankLog : IDisposable
{
    private const int Kept = 20;
    private readonly Lock gate = new();
    private readonly Queue<string> last = new();
    private StreamWriter? writer;

    public RankLog(int rank, string folder)
    {
        Rank = rank;
        Path = Open(folder);
    }

    public int Rank { get; }

    /// <summary>Where it lies now.</summary>
    public string Path { get; private set; }

    /// <summary>Adds a line; a full disk loses it, and does not end the run.</summary>
    public void Write(string line)
    {
        lock (gate)
        {
            last.Enqueue(line);
            if (last.Count > Kept)
            {
                last.Dequeue();
            }

            try
            {
                writer?.WriteLine(line);
            }
            catch (IOException)
            {
                writer = null;
            }
        }
    }

    /// <summary>The last lines with something in them.</summary>
    public string[] Tail(int lines)
    {
        lock (gate)
        {
            return [.. last.Where(line => !string.IsNullOrWhiteSpace(line)).TakeLast(lines)];
        }
    }

    /// <summary>Forgets the last lines, not the file: what follows belongs to a new start.</summary>
    public void Begin(string title)
    {
        Write(string.Create(CultureInfo.InvariantCulture, $"==== {DateTime.Now:yyyy-MM-dd HH:mm:ss} {title}"));
        lock (gate)
        {
            last.Clear();
        }
    }

    /// <summary>Goes on in another folder, with what was written so far. Stays where it is when that cannot be written.</summary>
    public void MoveTo(string folder)
    {
        lock (gate)
        {
            var before = Path;
            writer?.Dispose();
            writer = null;
            try
            {
                Directory.CreateDirectory(folder);
#pragma warning disable RS0030 // A log grows; it is never replaced.
                File.AppendAllText(System.IO.Path.Combine(folder, Name), File.ReadAllText(before));
#pragma warning restore RS0030
                Path = Open(folder);
                File.Delete(before);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Path = Open(System.IO.Path.GetDirectoryName(before)!);
            }
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            writer?.Dispose();
            writer = null;
        }
    }

    private string Name => $"rank_{Rank.ToString(CultureInfo.InvariantCulture)}.log";

    private string Open(string folder)
    {
        var path = System.IO.Path.Combine(folder, Name);
        writer = new StreamWriter(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete), new UTF8Encoding(false))
        {
            AutoFlush = true,
        };
        return path;
    }
}
