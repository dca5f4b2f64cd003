using System.Diagnostics;
using System.Globalization;
using Fovea.Nn;
using Fovea.Tensors;
using Fovea.Tensors.Collectives;

namespace Fovea.Distributed;

/// <summary>
/// The ranks of a run and what they do together. Every rank must start the same collectives in the same order. One rank is the degenerate case:
/// <see cref="Alone"/> has no process group and every collective is done at once.
/// </summary>
internal sealed partial class Mesh : IDisposable
{
    /// <summary>The span in which a thread stands still until a collective is done.</summary>
    public const string WaitForRanks = "wait for ranks";

    private static readonly TimeSpan Slice = TimeSpan.FromSeconds(0.25);

    private readonly TcpStore? store;
    private readonly MeshWatch? watch;
    private readonly ProcessGroup? group;
    private readonly RankVariables variables;
    private readonly string[] hosts;
    private readonly TimeSpan timeout;
    private readonly Device device;
    private int told;
    private MeshFailure? blamed;
    private bool unreachable;
    private bool closed;

    private Mesh(RankVariables variables, string[] hosts, TimeSpan timeout, Device device, TcpStore? store, MeshWatch? watch, ProcessGroup? group)
    {
        this.variables = variables;
        this.hosts = hosts;
        this.timeout = timeout;
        this.device = device;
        this.store = store;
        this.watch = watch;
        this.group = group;
    }

    public int Rank => variables.Rank;

    public int WorldSize => variables.WorldSize;

    /// <summary>Number among the ranks of this host.</summary>
    public int LocalRank => variables.LocalRank;

    /// <summary>Whether this is the rank that writes files and draws the view.</summary>
    public bool IsMain => Rank == 0;

    /// <summary>Ranks on this host, this one included: they share its memory and cores.</summary>
    public int RanksHere => hosts.Count(host => host == hosts[Rank]);

    /// <summary>Where this rank computes.</summary>
    internal Device Device => device;

    /// <summary>What this rank had to send, by theory; <see cref="ProcessGroup.WireBytes"/> says what went out.</summary>
    public Traffic Traffic { get; } = new();

    /// <summary>Time that this rank stood still for collectives; with GPUs, for all that was queued there besides.</summary>
    public TimeSpan Waited { get; private set; }

    /// <summary>What a run over several ranks should say at its end: nothing with one. Every rank asks.</summary>
    /// <param name="steps">Steps that this process did.</param>
    public IReadOnlyList<string> Notices(int steps)
    {
        if (WorldSize == 1 || steps == 0)
        {
            return [];
        }

        // Summed while all connections are open; whoever leaves closes its own.
        var sent = Sum("the count of bytes", Traffic.Total, ProcessGroup.WireBytes);
        return [string.Create(
            CultureInfo.InvariantCulture,
            $"{WorldSize} ranks sent {sent[0] / 1e6 / steps:0.###} MB a step to one another by theory, {sent[1] / 1e6 / steps:0.###} MB over TCP")];
    }

    /// <summary>One rank.</summary>
    public static Mesh Alone() =>
        new(new RankVariables(0, 1, 0, string.Empty, 0), [Environment.MachineName], Timeout.InfiniteTimeSpan, Device.Cpu, null, null, null);

    /// <summary>Adds to a tensor those of the other ranks, in place; halves are summed in fp32.</summary>
    public CollectiveHandle AllReduce(Tensor x, string what = "an all-reduce")
    {
        if (group is null)
        {
            return CollectiveHandle.Done;
        }

        using var scope = TensorScope.Open("step");
        if (x.DType is DType.F16 or DType.BF16)
        {
            var wide = x.Detach().To(DType.F32).Keep();
            return Start(CollectiveKind.AllReduce, wide, wide, what, wide, sum => x.Copy_(sum));
        }

        return Start(CollectiveKind.AllReduce, x, x, what);
    }

    /// <summary>Puts the parts of all ranks end to end, in rank order. Any element type; nothing is converted.</summary>
    /// <param name="output">Flat, WorldSize times as long as the input.</param>
    public CollectiveHandle AllGather(Tensor output, Tensor input, string what = "an all-gather")
    {
        CheckParts(output, input);
        if (group is null)
        {
            output.Copy_(input);
            return CollectiveHandle.Done;
        }

        using var scope = TensorScope.Open("step");
        return Start(CollectiveKind.AllGather, FlatTensor.Bytes(output), FlatTensor.Bytes(input), what);
    }

    /// <summary>
    /// Sums over ranks and keeps this rank's part. Gloo's own is an all-reduce underneath, so there the parts are exchanged and summed here, in fp32 and in
    /// rank order: half types travel as they are and the result is the same in every run.
    /// </summary>
    /// <param name="output">fp32, flat, this rank's part.</param>
    /// <param name="input">Flat, WorldSize times as long, of any floating-point type; left as it is.</param>
    public CollectiveHandle ReduceScatter(Tensor output, Tensor input, string what = "a reduce-scatter")
    {
        CheckParts(input, output);
        if (group is null)
        {
            output.Copy_(input);
            return CollectiveHandle.Done;
        }

        using var scope = TensorScope.Open("step");
        if (input.Device.Type == DeviceType.Cuda && input.DType == output.DType)
        {
            return Start(CollectiveKind.ReduceScatter, output, input, what);
        }

        var received = CreateOps.Empty(input.Shape, input.DType, input.Device).Keep();
        return Start(CollectiveKind.AllToAll, FlatTensor.Bytes(received), FlatTensor.Bytes(input), what, received, parts => FlatTensor.SumParts(output, parts));
    }

    /// <summary>Gives every rank the tensor of one of them, in place.</summary>
    public CollectiveHandle Broadcast(Tensor x, int root = 0, string what = "a broadcast")
    {
        if (group is null)
        {
            return CollectiveHandle.Done;
        }

        using var scope = TensorScope.Open("step");
        return Start(CollectiveKind.Broadcast, FlatTensor.Bytes(x), FlatTensor.Bytes(x), what, root: root);
    }

    /// <summary>Waits until every rank has come here.</summary>
    public void Barrier(string what = "a barrier") => Sum(what, 0);

    /// <summary>The sum over ranks of each number.</summary>
    public double[] Sum(string what, params ReadOnlySpan<double> values)
    {
        using var scope = TensorScope.Open("step");
        if (group is null)
        {
            return values.ToArray();
        }

        var numbers = CreateOps.From(values);
        var x = ProcessGroup.HasGloo ? numbers : numbers.To(device);
        AllReduce(x, what).Wait();
        return x.ToArray<double>();
    }

    /// <summary>The smallest over ranks.</summary>
    public double Min(string what, double value)
    {
        Span<double> all = stackalloc double[WorldSize];
        all.Clear();
        all[Rank] = value;
        return Sum(what, all).Min();
    }

    /// <summary>Whether it is so on any rank.</summary>
    public bool Any(string what, bool value) => Sum(what, value ? 1 : 0)[0] > 0;

    /// <summary>Has rank 0 decide: runs there, and gives every rank its answer.</summary>
    public string? FromMain(string what, Func<string?> decide)
    {
        if (store is null)
        {
            return decide();
        }

        var key = string.Create(CultureInfo.InvariantCulture, $"told/{told++}");
        watch!.Reached(what);
        if (IsMain)
        {
            var answer = decide();
            store.Set(key, answer is null ? "-" : $"+{answer}");
            return answer;
        }

        // On another thread: a store whose process was stopped does not answer, nor does it fail.
        var asked = Task.Run(() => store.Get(key, timeout, ThrowKnown));
        while (!Quietly(asked, Slice))
        {
            ThrowKnown();
        }

        var text = asked.GetAwaiter().GetResult() ?? throw Explain(what, "no answer", timeout, null);
        return text[0] == '-' ? null : text[1..];
    }

    /// <summary>Has rank 0 do something that leaves files behind; the others go on and meet it at the next collective.</summary>
    public void OnMain(Action action)
    {
        if (IsMain)
        {
            action();
        }
    }

    /// <summary>
    /// Waits until a device has done what this thread has queued there. Collectives on GPUs are waited for by the GPU alone; here the host does, and a
    /// rank that died or does not come is found.
    /// </summary>
    internal void Settle(Device on)
    {
        using var queued = DeviceEvent.Now(on);
        Await(queued, watch!.Last);
    }

    /// <param name="amongNeighbours">Whether only the ranks that share this rank's sequences take part.</param>
    /// <exception cref="MeshException">A rank died, hangs or failed.</exception>
    internal void Await(IAwaited work, string what, bool amongNeighbours = false)
    {
        using var span = Profile.Open(WaitForRanks);
        var start = Stopwatch.StartNew();
        try
        {
            while (!work.Wait(Slice))
            {
                ThrowKnown();
                if (start.Elapsed > timeout)
                {
                    throw Explain(what, "timed out", timeout, null, amongNeighbours);
                }
            }
        }
        catch (TorchException e) when (work is Work) // what a GPU itself reports is this rank's own fault
        {
            throw Explain(what, e.Message.Split('\n')[0], null, e);
        }
        finally
        {
            Waited += start.Elapsed;
        }
    }

    private static bool Quietly(Task task, TimeSpan limit)
    {
        try
        {
            return task.Wait(limit);
        }
        catch (AggregateException)
        {
            return true;
        }
    }

    private void CheckParts(Tensor whole, Tensor part)
    {
        if (whole.Count != part.Count * WorldSize)
        {
            throw new ArgumentException($"{whole.Describe()} is not {WorldSize} times as long as {part.Describe()}");
        }
    }

    /// <param name="among">The ranks that take part; null for all.</param>
    internal CollectiveHandle Start(
        CollectiveKind kind, Tensor output, Tensor input, string what, Tensor? scratch = null, Action<Tensor>? finish = null, int root = 0,
        SequenceExchange? among = null)
    {
        var (within, ranks) = among is null ? (group!, WorldSize) : (among.Group, among.Size);
        watch!.Reached(what, among is not null);
        ThrowKnown();
        var whole = kind == CollectiveKind.AllGather ? output : input;
        var counted = kind == CollectiveKind.AllToAll ? CollectiveKind.ReduceScatter : kind;
        Traffic.Count(counted, whole.Count * whole.DType.Size(), ranks);
        try
        {
            var traced = Profile.IsOn && output.Device.Type == DeviceType.Cpu
                ? ($"{(among is null ? CollectiveHandle.Verb(kind) : "exchange")}: {what}", Stopwatch.GetTimestamp())
                : ((string, long)?)null;
            return new CollectiveHandle(this, within.Start(kind, output, input, root, timed: traced is not null), what, scratch, finish)
            {
                Traced = traced, AmongNeighbours = among is not null,
            };
        }
        catch (TorchException e)
        {
            scratch?.Dispose();
            throw Explain(what, e.Message.Split('\n')[0], null, e);
        }
    }

    private void ThrowKnown()
    {
        if (watch!.Failure is { } known)
        {
            blamed = known;
            throw known.ToException();
        }
    }

    private MeshException Explain(string what, string words, TimeSpan? late, Exception? inner, bool amongNeighbours = false)
    {
        blamed = watch!.Explain(what, words, late, amongNeighbours ? other => other / SequenceSize == DataRank : _ => true);
        return blamed.ToException(inner);
    }
}
