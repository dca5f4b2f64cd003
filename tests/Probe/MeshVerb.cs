using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Fovea.Distributed;
using Fovea.Tensors;
using Fovea.Tensors.Collectives;

namespace Fovea.Probe;

/// <summary><c>mesh</c>: lets the ranks that a launcher started do every collective, checks the results and measures them.</summary>
internal static class MeshVerb
{
    public static Command Create()
    {
        var megabytes = new Option<double>("--mib") { Description = "size of the whole tensor", DefaultValueFactory = _ => 4 };
        var seconds = new Option<int>("--seconds") { Description = "go on with small sums for so long" };
        var patience = new Option<int>("--timeout") { Description = "seconds to wait for a rank", DefaultValueFactory = _ => 60 };
        var late = new Option<int>("--late") { Description = "a rank that sleeps instead of taking part in them", DefaultValueFactory = _ => -1 };
        var together = new Option<int[]>("--together") { Description = "ranks that split sequences; once for each run that these processes do" };
        var verb = new Command("mesh", "Tries every collective between the ranks that were started together: result, bytes by theory and on the wire, time.")
        {
            megabytes, seconds, patience, late, together,
        };
        verb.SetAction(result =>
        {
            var ranks = RankVariables.Read();
            using var mesh = Mesh.Join(ranks, TimeSpan.FromSeconds(result.GetValue(patience)));
            try
            {
                Array.ForEach(result.GetValue(together) ?? [], mesh.SplitSequences);
                Try(mesh, result.GetValue(megabytes), result.InvocationConfiguration.Output);
                GoOn(mesh, result.GetValue(seconds), result.GetValue(late));
                return 0;
            }
            catch (Exception e)
            {
                mesh.Fail(e);
                throw;
            }
        });
        return verb;
    }

    private static void Try(Mesh mesh, double megabytes, TextWriter output)
    {
        var n = Math.Max(1, (long)(megabytes * (1 << 20) / sizeof(float) / mesh.WorldSize));
        var whole = n * mesh.WorldSize;
        var sum = mesh.WorldSize * (mesh.WorldSize + 1) / 2.0;
        foreach (var type in new[] { DType.F32, DType.BF16 })
        {
            Measure($"all_reduce {type}", type, () => Mine(whole, type), x => mesh.AllReduce(x), x => Same(x, sum));
            Measure($"all_gather {type}", type, () => CreateOps.Empty([whole], type), x => mesh.AllGather(x, Mine(n, type)), Ordered);
            Measure($"reduce_scatter {type}", type, () => CreateOps.Empty([n]), x => mesh.ReduceScatter(x, Mine(whole, type)), x => Same(x, sum));
            Measure($"broadcast {type}", type, () => Mine(whole, type), x => mesh.Broadcast(x, mesh.WorldSize - 1), x => Same(x, mesh.WorldSize));
        }

        // What a sum in half precision would lose: 256 + 1 is 256 in bf16.
        using (TensorScope.Open("step"))
        {
            var x = CreateOps.Full([mesh.WorldSize], mesh.IsMain ? 256 : 1, DType.BF16);
            var part = CreateOps.Empty([1]);
            mesh.ReduceScatter(part, x).Wait();
            Check("a sum of halves", part.Item() == 256 + mesh.WorldSize - 1);
        }

        Tensor Mine(long count, DType type) => CreateOps.Full([count], mesh.Rank + 1, type);

        void Ordered(Tensor x)
        {
            for (var r = 0; r < mesh.WorldSize; r++)
            {
                Same(x.Slice(0, r * n, (r + 1) * n), r + 1);
            }
        }

        void Measure(string what, DType type, Func<Tensor> make, Func<Tensor, CollectiveHandle> start, Action<Tensor> check)
        {
            using var scope = TensorScope.Open("step");
            var x = make();
            mesh.Barrier();
            var (theory, wire, watch) = (mesh.Traffic.Total, ProcessGroup.WireBytes, Stopwatch.StartNew());
            start(x).Wait();
            theory = mesh.Traffic.Total - theory;
            var time = watch.Elapsed;
            mesh.Barrier();
            var sent = mesh.Sum("bytes", theory, ProcessGroup.WireBytes - wire);
            check(x);
            mesh.OnMain(() => output.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{what,-20} theory {sent[0],12:0} bytes, wire {sent[1],12:0} bytes, {time.TotalMilliseconds,8:0.0} ms")));
        }
    }

    private static void GoOn(Mesh mesh, int seconds, int late)
    {
        for (var watch = Stopwatch.StartNew(); !mesh.Any("the end of the trial", watch.Elapsed.TotalSeconds >= seconds);)
        {
            Thread.Sleep(mesh.Rank == late ? TimeSpan.FromSeconds(seconds) : TimeSpan.FromMilliseconds(10));
        }
    }

    private static void Same(Tensor x, double expected) =>
        Check($"{x.Describe()}", x.To(DType.F32).Sub(CreateOps.Full([1], expected)).Abs().Max().Item() == 0);

    private static void Check(string what, bool right)
    {
        if (!right)
        {
            throw new TorchException($"{what} came out wrong");
        }
    }
}
