using System.Diagnostics;
using Fovea.Tensors.Native;

namespace Fovea.Tensors.Collectives;

/// <summary>
/// A connection to the key-value store by which processes find one another (c10d's TCPStore). One process serves it, all connect. A connection is for
/// one thread at a time.
/// </summary>
internal sealed class TcpStore : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);
    private nint handle;

    /// <param name="host">Where the store is served; name or address.</param>
    /// <param name="serves">Whether this process serves it.</param>
    /// <param name="timeout">For connecting.</param>
    /// <param name="prefix">Put before every key.</param>
    public TcpStore(string host, int port, bool serves, int worldSize, TimeSpan timeout, string prefix = "")
    {
        Bridge.EnsureLoaded();
        Bridge.Check(Bridge.StoreOpen(host, port, serves ? 1 : 0, worldSize, Milliseconds(timeout), prefix, out handle));
    }

    /// <summary>Nothing frees it behind its owner's back: there is no finalizer.</summary>
    internal nint Connection => handle != 0 ? handle : throw new ObjectDisposedException(nameof(TcpStore));

    public void Set(string key, string value) => StoreBytes.Set(Connection, key, value);

    /// <summary>Sets a key that nobody has set; says whether it was this call that did.</summary>
    public bool SetOnce(string key, string value) => StoreBytes.SetOnce(Connection, key, value);

    /// <summary>The value of a key, or null where nobody has set it.</summary>
    public string? TryGet(string key)
    {
        Bridge.Check(Bridge.StoreHas(Connection, key, out var found));
        return found != 0 ? StoreBytes.Get(Connection, key) : null;
    }

    /// <summary>The value of a key, waited for; null when nobody has set it within the timeout.</summary>
    /// <param name="check">Called while waiting; ends the wait by throwing.</param>
    public string? Get(string key, TimeSpan timeout, Action? check = null)
    {
        for (var watch = Stopwatch.StartNew(); ; Thread.Sleep(Pause))
        {
            if (TryGet(key) is { } value)
            {
                return value;
            }

            check?.Invoke();
            if (watch.Elapsed > timeout)
            {
                return null;
            }
        }
    }

    /// <summary>Adds to a counter, which starts at 0, and gives the sum.</summary>
    public long Add(string key, long amount)
    {
        Bridge.Check(Bridge.StoreAdd(Connection, key, amount, out var sum));
        return sum;
    }

    public void Dispose()
    {
        var closing = Interlocked.Exchange(ref handle, 0);
        if (closing != 0)
        {
            Bridge.StoreClose(closing);
        }
    }

    // What c10d hands on to poll() and to timers must fit 32 bits.
    internal static long Milliseconds(TimeSpan time) => (long)Math.Clamp(time.TotalMilliseconds, 1, 2e9);
}
