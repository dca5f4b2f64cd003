using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>
/// Which adapter each row of a pass asks for, while it is open on a thread: linears then add to every row the update of its own adapter, and read their
/// weights once for all. On the CPU a row keeps the bits that it has alone.
/// </summary>
internal sealed class AdapterRows
{
    [ThreadStatic]
    private static AdapterRows? current;

    // Null is the adapter that is attached to the model, if there is one. All rows are the same where there is one run.
    private readonly NamedAdapter?[] owners;
    private readonly NamedAdapter?[] runs;
    private readonly long[] starts;

    /// <param name="owners">The adapter of each row; null is the model as it is.</param>
    public AdapterRows(NamedAdapter?[] owners)
    {
        this.owners = owners;
        var firsts = Enumerable.Range(0, owners.Length).Where(row => row == 0 || owners[row] != owners[row - 1]).ToArray();
        runs = Array.ConvertAll(firsts, row => owners[row]);
        starts = [.. firsts.Select(row => (long)row), owners.Length];
    }

    /// <summary>All rows of whatever is computed ask for one.</summary>
    public AdapterRows(NamedAdapter? adapter)
        : this([adapter])
    {
    }

    /// <summary>What is open on this thread; null is the model as it is.</summary>
    public static AdapterRows? Current => current;

    private bool AllSame => runs.Length <= 1;

    /// <summary>From now on the rows are these of the present ones, in this order.</summary>
    public static IDisposable? Select(Tensor rows) => current is { AllSame: false } now
        ? new AdapterRows(Array.ConvertAll(rows.ToArray<long>(), row => now.owners[row])).Open()
        : null;

    /// <summary>From now on the rows are those of a stretch of the present ones.</summary>
    public static IDisposable? Slice(long from, long end) => current is { AllSame: false } now
        ? new AdapterRows(now.owners[(int)from..(int)end]).Open()
        : null;

    /// <summary>The adapter of this weight that all rows have; false where they differ.</summary>
    public static bool Same(Adaptable adaptable, out LoraAdapter? adapter)
    {
        adapter = current is { runs.Length: > 0 } now ? Of(now.runs[0], adaptable) : adaptable.Lora;
        var first = adapter;
        return current is null or { AllSame: true } || current.runs.All(run => Of(run, adaptable) == first);
    }

    /// <summary>Works until the result is disposed.</summary>
    public IDisposable Open()
    {
        var before = current;
        current = this;
        return new Lease(before);
    }

    /// <summary>The linear's result for the present rows, whose adapters differ.</summary>
    internal static Tensor Forward(Tensor x, Linear linear)
    {
        var now = current!;
        var adapters = Array.ConvertAll(now.runs, run => Of(run, linear));
        if (linear.Weight.Packed is not null)
        {
            return Added(linear.Base(x), x, adapters, now.starts);
        }

        var distinct = adapters.OfType<LoraAdapter>().Distinct().ToArray();
        return x.LoraRuns(
            linear.Weight.Use(),
            linear.Bias?.Use(),
            Array.ConvertAll(distinct, adapter => adapter.A.Use()),
            Array.ConvertAll(distinct, adapter => adapter.B.Use()),
            Array.ConvertAll(distinct, adapter => adapter.Scale),
            now.starts,
            Array.ConvertAll(adapters, adapter => adapter is null ? -1L : Array.IndexOf(distinct, adapter)));
    }

    /// <summary>The adapters of a weight, each with the rows that have it, ascending; rows without one are left out.</summary>
    internal static IEnumerable<(LoraAdapter Adapter, long[] Rows)> Of(Adaptable adaptable)
    {
        var now = current!;
        return now.owners.Select((owner, row) => (Adapter: Of(owner, adaptable), Row: (long)row))
            .Where(pair => pair.Adapter is not null)
            .GroupBy(pair => pair.Adapter!, pair => pair.Row)
            .Select(group => (group.Key, group.ToArray()));
    }

    /// <summary>What each run's adapter adds to the result of a weight in 4 bits, which has no product with several adapters.</summary>
    private static Tensor Added(Tensor y, Tensor x, LoraAdapter?[] adapters, long[] starts)
    {
        var (rows_RI, rows_RO) = (x.Reshape(-1, x.Size(-1)), y.Reshape(-1, y.Size(-1)));
        return ShapeOps.Cat([.. adapters.Select((adapter, run) =>
        {
            var own = rows_RO.Slice(0, starts[run], starts[run + 1]);
            return adapter is null ? own : own.Add(adapter.Update(rows_RI.Slice(0, starts[run], starts[run + 1])));
        })]).View(y.Shape);
    }

    private static LoraAdapter? Of(NamedAdapter? adapter, Adaptable adaptable) => adapter is null ? adaptable.Lora : adapter.Of(adaptable);

    private sealed class Lease(AdapterRows? before) : IDisposable
    {
        public void Dispose() => current = before;
    }
}
