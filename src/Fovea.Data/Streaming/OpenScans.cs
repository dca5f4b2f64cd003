namespace Fovea.Data.Streaming;

/// <summary>Files that rows are being read from: each is opened once, and those longest unused are closed where there are many.</summary>
internal sealed class OpenScans(Func<(int File, int Group), IRowScan> open) : IDisposable
{
    private const int Most = 64;
    private readonly Lock gate = new();
    private readonly Dictionary<(int File, int Group), Held> held = [];
    private long clock;

    /// <summary>Does something with a file, from any thread.</summary>
    public T Use<T>((int File, int Group) key, Func<IRowScan, T> work)
    {
        Held one;
        lock (gate)
        {
            if (!held.TryGetValue(key, out one!))
            {
                held[key] = one = new Held(new Lazy<IRowScan>(() => open(key)));
            }

            (one.Users, one.Used) = (one.Users + 1, ++clock);
        }

        try
        {
            return work(Opened(key, one));
        }
        finally
        {
            lock (gate)
            {
                one.Users--;
                Trim();
            }
        }
    }

    public void Dispose()
    {
        foreach (var one in held.Values)
        {
            one.Close();
        }

        held.Clear();
    }

    /// <summary>Opens outside the gate: a table may have to be unpacked. What fails is tried anew for the next row; a lazy value fails for ever.</summary>
    private IRowScan Opened((int File, int Group) key, Held one)
    {
        try
        {
            return one.Scan.Value;
        }
        catch
        {
            lock (gate)
            {
                if (held.GetValueOrDefault(key) == one)
                {
                    held.Remove(key);
                }
            }

            throw;
        }
    }

    private void Trim()
    {
        while (held.Count > Most && held.Where(pair => pair.Value.Users == 0).OrderBy(pair => pair.Value.Used).FirstOrDefault() is { Value: { } oldest } pair)
        {
            held.Remove(pair.Key);
            oldest.Close();
        }
    }

    private sealed class Held(Lazy<IRowScan> scan)
    {
        public Lazy<IRowScan> Scan => scan;

        public int Users { get; set; }

        public long Used { get; set; }

        public void Close()
        {
            if (scan.IsValueCreated)
            {
                scan.Value.Dispose();
            }
        }
    }
}
