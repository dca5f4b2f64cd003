using System.Diagnostics;
using Fovea.Nn;

namespace Fovea.Tests.Parity.Qwen3VlMoe;

public sealed class SpeedProbe : NativeTest
{
    [Theory]
    [InlineData(DType.BF16, 128, 1024, false)]
    [InlineData(DType.F32, 32, 1024, false)]
    [InlineData(DType.F32, 32, 512, true)]
    [InlineData(DType.BF16, 32, 1024, true)]
    [InlineData(DType.BF16, 128, 1, false)]
    [InlineData(DType.F32, 32, 1, false)]
    internal void Measure(DType dtype, int experts, int tokens, bool learns)
    {
        const int width = 2048, inner = 768, k = 8;
        foreach (var inputsFirst in new[] { true, false })
        {
            using var scope = TensorScope.Open("test");
            Torch.Seed(1);
            using var ledger = new Ledger(new RandomSource(0.02), new LedgerOptions { Compute = dtype, Master = dtype, Trainable = name => learns && name.Contains("experts") });
            var sparse = new SparseMlp(ledger.Root / "mlp", width, new ExpertShape { Count = experts, PerToken = k, Inner = inner, InputsFirst = inputsFirst });
            var dense = new GatedMlp(ledger.Root / "dense.experts", width, k * inner, bias: false);
            var x = CreateOps.Empty([tokens, width], DType.F32).Normal_(0, 1).To(dtype);
            x.RequiresGrad = tokens > 1;
            var rows = CreateOps.Empty([tokens * k, width], DType.F32).Normal_(0, 1).To(dtype);
            rows.RequiresGrad = tokens > 1;
            var mid = CreateOps.Empty([tokens * k, inner], DType.F32).Normal_(0, 1).To(dtype);
            mid.RequiresGrad = tokens > 1;
            long[] starts = [.. Enumerable.Range(0, experts + 1).Select(i => (long)i * tokens * k / experts)];
            var up = ledger["mlp.experts.gate_up_proj"].Value;
            var down = ledger["mlp.experts.down_proj"].Value;
            var a = Time(() => Run(sparse.Forward(x)));
            var b = Time(() =>
            {
                Run(rows.StackedLinear(inputsFirst ? up.Transpose() : up, starts));
                Run(mid.StackedLinear(inputsFirst ? down.Transpose() : down, starts));
            });
            var c = Time(() => Run(dense.Forward(x)));
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"{dtype} {experts} experts {tokens} tokens learns {learns} inputsFirst {inputsFirst}: sparse {a:f1} ms, own products {b:f1}, dense {c:f1}; {a / b:f2}, {a / c:f2}");
        }

        void Run(Tensor y)
        {
            if (tokens > 1)
            {
                Autograd.Backward([y], [CreateOps.Ones(y.Shape, y.DType, y.Device)]);
            }
        }

        double Time(Action work)
        {
            using IDisposable? grad = tokens > 1 ? null : Autograd.NoGrad();
            var best = double.MaxValue;
            for (var i = 0; i < 4; i++)
            {
                using var scope = TensorScope.Open("step");
                var clock = Stopwatch.StartNew();
                work();
                best = Math.Min(best, clock.Elapsed.TotalMilliseconds);
            }

            return best;
        }
    }

    [Fact]
    public void Layouts()
    {
        var text = new System.Text.StringBuilder();
        var describe = typeof(Fovea.Tests.Unit.Training.ShardLayoutTests).GetMethod("Describe", System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!;
        foreach (var full in new[] { true, false })
        {
            foreach (var stage in new[] { 1, 3 })
            {
                describe.Invoke(null, [text, "qwen3_vl_moe", full, stage]);
            }
        }

        File.WriteAllText("/tmp/moe-layouts.txt", text.ToString());
    }
}
