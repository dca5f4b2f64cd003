using Fovea.Nn;

namespace Fovea.Tests.Unit.Nn;

/// <summary>Threads of this process as the ranks that split sequences; what they exchange passes through managed memory.</summary>
internal sealed class ThreadExchange : ISequenceExchange
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly Barrier barrier;
    private readonly Array[] sent;

    private ThreadExchange(int rank, Barrier barrier, Array[] sent) => (Rank, this.barrier, this.sent) = (rank, barrier, sent);

    public int Size => sent.Length;

    public int Rank { get; }

    /// <summary>Runs every rank on a thread of its own and gives what they return.</summary>
    public static T[] Run<T>(int ranks, Func<ThreadExchange, T> rank)
    {
        using var barrier = new Barrier(ranks);
        var sent = new Array[ranks];
        var results = new T[ranks];
        var failures = new Exception?[ranks];
        var threads = Enumerable.Range(0, ranks).Select(r => new Thread(() =>
        {
            try
            {
                using var scope = TensorScope.Open("rank");
                results[r] = rank(new ThreadExchange(r, barrier, sent));
            }
            catch (Exception e)
            {
                failures[r] = e;
                barrier.RemoveParticipant();
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return failures.OfType<Exception>().FirstOrDefault() is { } failure ? throw new AggregateException(failure) : results;
    }

    public Tensor Swap(Tensor x_NX, string what) => Autograd.Step(x_NX, Sent, Sent);

    public double[] Sum(string what, ReadOnlySpan<double> values)
    {
        var all = Together(values.ToArray());
        return [.. Enumerable.Range(0, values.Length).Select(i => all.Sum(of => of[i]))];
    }

    private Tensor Sent(Tensor x)
    {
        var each = (int)x.Count / Size;
        var all = Together(x.Contiguous().ToArray<float>());
        return CreateOps.From(all.SelectMany(of => of.Skip(Rank * each).Take(each)).ToArray(), x.Shape);
    }

    private T[][] Together<T>(T[] mine)
    {
        sent[Rank] = mine;
        Meet();
        var all = Array.ConvertAll(sent, of => (T[])of);
        Meet();
        return all;
    }

    private void Meet()
    {
        if (!barrier.SignalAndWait(Patience))
        {
            throw new TimeoutException("the other ranks do not come");
        }
    }
}
