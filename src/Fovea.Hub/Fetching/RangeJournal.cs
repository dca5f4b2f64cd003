using System.Globalization;
using System.Text;

namespace Fovea.Hub.Fetching;

/// <summary>
/// Which bytes of an unfinished file are there. Several parts of it grow at once, so its length says nothing; a line is added after each piece that was
/// written,
/// so that a killed process leaves at most less than is there. What a power cut loses is found by the hash of the whole.
/// </summary>
internal sealed class RangeJournal : IDisposable
{
    private readonly LineLog log;
    private readonly Lock access = new();
    private readonly SortedList<long, long> there = [];

    private RangeJournal(LineLog log) => this.log = log;

    /// <summary>Opens the journal of a file that will have this many bytes; one of another length is begun anew.</summary>
    public static RangeJournal Open(string path, long size)
    {
        var first = $"fovea 1 {size.ToString(CultureInfo.InvariantCulture)}";
        List<(long From, long To)> ranges = [];
        var log = LineLog.Open(path, lines =>
        {
            if (lines.Count == 0 || Encoding.ASCII.GetString(lines[0].Span) != first)
            {
                return 0;
            }

            ranges.AddRange(lines.Skip(1).Select(line => Encoding.ASCII.GetString(line.Span).Split(' ')).Where(words => words.Length == 2)
                .Select(words => (long.Parse(words[0], CultureInfo.InvariantCulture), long.Parse(words[1], CultureInfo.InvariantCulture))));
            return lines.Count;
        });
        var journal = new RangeJournal(log);
        if (log.IsEmpty)
        {
            log.Add(first);
        }

        foreach (var (from, to) in ranges.Where(range => range.From >= 0 && range.To <= size && range.From < range.To))
        {
            journal.Join(from, to);
        }

        return journal;
    }

    /// <summary>How many bytes are there.</summary>
    public long Bytes
    {
        get
        {
            lock (access)
            {
                return there.Sum(range => range.Value - range.Key);
            }
        }
    }

    /// <summary>What is not, in parts of at most this many bytes.</summary>
    public IReadOnlyList<(long From, long To)> Missing(long size, long most)
    {
        lock (access)
        {
            var parts = new List<(long, long)>();
            var at = 0L;
            foreach (var (from, to) in there.Append(new(size, size)))
            {
                for (; at < from; at = Math.Min(at + most, from))
                {
                    parts.Add((at, Math.Min(at + most, from)));
                }

                at = Math.Max(at, to);
            }

            return parts;
        }
    }

    /// <summary>Notes bytes that were written.</summary>
    public void Add(long from, long to)
    {
        lock (access)
        {
            log.Add(string.Create(CultureInfo.InvariantCulture, $"{from} {to}"));
            Join(from, to);
        }
    }

    public void Dispose() => log.Dispose();

    private void Join(long from, long to)
    {
        foreach (var (other, end) in there.Where(range => range.Key <= to && range.Value >= from).ToList())
        {
            there.Remove(other);
            (from, to) = (Math.Min(from, other), Math.Max(to, end));
        }

        there[from] = to;
    }
}
