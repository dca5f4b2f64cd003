using System.Diagnostics;
using System.Globalization;
using Fovea.Tensors.Collectives;

namespace Fovea.Distributed;

/// <summary>
/// A rank's heartbeat in the store, and its look at the others': a thread with a connection of its own, so that a long computation or a wait does not
/// stop it.
/// </summary>
internal sealed class MeshWatch : IDisposable
{
    internal static readonly TimeSpan Beat = TimeSpan.FromSeconds(0.5);
    private const string FailureKey = "failure";
    private const string LeftMark = "left";
    private readonly TcpStore store;
    private readonly int rank;
    private readonly string[] hosts;
    private readonly TimeSpan silence;
    private readonly Heart[] hearts;
    private readonly Thread thread;
    private readonly ManualResetEventSlim stop = new();
    private volatile MeshFailure? failure;
    private volatile bool suspects;
    private long contact = Stopwatch.GetTimestamp();
    private long sequence;
    private string what = "the start";

    /// <param name="silence">How long a heart may be silent before its rank is given up.</param>
    public MeshWatch(TcpStore store, int rank, string[] hosts, TimeSpan silence)
    {
        this.store = store;
        this.rank = rank;
        this.hosts = hosts;
        this.silence = silence;
        suspects = rank == 0;
        hearts = [.. hosts.Select(_ => new Heart())];
        thread = new Thread(Run) { IsBackground = true, Name = "heartbeat" };
        thread.Start();
    }

    /// <summary>What every rank should end with, once something has gone wrong anywhere.</summary>
    public MeshFailure? Failure => failure ?? (Stopwatch.GetElapsedTime(Interlocked.Read(ref contact)) > silence
        ? new MeshFailure(0, hosts[0], $"has not answered for {silence.TotalSeconds:0} s (it serves the store)")
        : null);

    /// <summary>The collective that this rank came to last.</summary>
    public string Last => Volatile.Read(ref what);

    /// <summary>Says what this rank has come to.</summary>
    /// <param name="amongNeighbours">
    /// Whether it concerns only the ranks that share this rank's sequences. Others may do more of these or fewer, so what all ranks do counts first.
    /// </param>
    public void Reached(string collective, bool amongNeighbours = false)
    {
        const int others = 32;
        Volatile.Write(ref what, collective);
        var before = Interlocked.Read(ref sequence);
        Interlocked.Exchange(ref sequence, amongNeighbours ? before + 1 : ((before >> others) + 1) << others);
    }

    /// <summary>Names who is to blame for a wait that failed: a reported failure, a heartbeat that has stopped, else what is known.</summary>
    /// <param name="collective">What was waited for.</param>
    /// <param name="late">Set after a timeout: the rank that is furthest behind is to blame even if its heart beats.</param>
    /// <param name="takesPart">Which ranks were waited for.</param>
    public MeshFailure Explain(string collective, string words, TimeSpan? late, Func<int, bool> takesPart)
    {
        const double still = 4;
        suspects = true;
        for (var watch = Stopwatch.StartNew(); watch.Elapsed.TotalSeconds < still * Beat.TotalSeconds + 2; Thread.Sleep(50))
        {
            if (Failure is { } known)
            {
                return known;
            }

            for (var r = 0; r < hearts.Length; r++)
            {
                if (r != rank && hearts[r].Beats is { } beats && beats != LeftMark && hearts[r].Silent > still * Beat)
                {
                    return new MeshFailure(r, hosts[r], $"died or was stopped ({collective} did not end; its heart has stood still since)");
                }
            }
        }

        var behind = Enumerable.Range(0, hearts.Length).Where(r => r != rank && takesPart(r)).MinBy(r => hearts[r].Sequence);
        return late is { } limit && hearts[behind].Sequence < Interlocked.Read(ref sequence)
            ? new MeshFailure(behind, hosts[behind],
                $"lives but has not come to {collective} within {limit.TotalSeconds:0} s (ddp_timeout); it was last at {hearts[behind].What}")
            : new MeshFailure(-1, string.Empty, $"broke the connection during {collective}: {words}");
    }

    /// <summary>Stops the heart, after which its silence means nothing.</summary>
    public void Dispose()
    {
        if (!stop.IsSet)
        {
            stop.Set();
            thread.Join();
            store.Dispose();
        }
    }


    private void Run()
    {
        try
        {
            for (var beat = 0L; !stop.IsSet; stop.Wait(Beat))
            {
                store.Set(Key(rank), string.Create(CultureInfo.InvariantCulture, $"{++beat} {Interlocked.Read(ref sequence)} {Volatile.Read(ref what)}"));
                failure ??= store.TryGet(FailureKey) is { } text ? MeshFailure.Parse(text) : null;
                Interlocked.Exchange(ref contact, Stopwatch.GetTimestamp());
                if (suspects)
                {
                    Look();
                }
            }

            store.Set(Key(rank), LeftMark);
        }
        catch (TorchException e)
        {
            failure ??= new MeshFailure(0, hosts[0], $"is gone: its store no longer answers ({FirstLine(e.Message)})");
        }
    }

    private void Look()
    {
        for (var r = 0; r < hearts.Length; r++)
        {
            if (r == rank || store.TryGet(Key(r)) is not { } text)
            {
                continue;
            }

            hearts[r].Take(text);
            if (text != LeftMark && hearts[r].Silent > silence && failure is null)
            {
                failure = new MeshFailure(r, hosts[r], $"has shown no life for {silence.TotalSeconds:0} s: it was stopped, or its host is gone");
                store.SetOnce(FailureKey, failure.Text);
            }
        }
    }

    private static string Key(int rank) => string.Create(CultureInfo.InvariantCulture, $"beat/{rank}");

    private static string FirstLine(string text) => text.Split('\n')[0];

    /// <summary>What was last seen of one rank, and when it changed.</summary>
    private sealed class Heart
    {
        private readonly Lock gate = new();
        private string? beats;
        private long since;

        public string? Beats
        {
            get
            {
                lock (gate)
                {
                    return beats;
                }
            }
        }

        public TimeSpan Silent
        {
            get
            {
                lock (gate)
                {
                    return beats is null ? TimeSpan.Zero : Stopwatch.GetElapsedTime(since);
                }
            }
        }

        public long Sequence => Parts is [_, var number, ..] ? long.Parse(number, CultureInfo.InvariantCulture) : long.MaxValue;

        public string What => Parts is [_, _, var name] ? name : "the end";

        private string[] Parts => Beats?.Split(' ', 3) ?? [];

        public void Take(string text)
        {
            lock (gate)
            {
                if (text != beats)
                {
                    (beats, since) = (text, Stopwatch.GetTimestamp());
                }
            }
        }
    }
}
