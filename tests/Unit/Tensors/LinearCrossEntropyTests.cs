using Fovea.Nn;

namespace Fovea.Tests.Unit.Tensors;

/// <summary>The loss without logits in memory: against separate operators, and what it promises besides.</summary>
public sealed class LinearCrossEntropyTests : NativeTest
{
    private static readonly Operator InCaches = new("fovea::linear_cross_entropy");

    // Widths that end within a panel and in half of one; heads that end within a block, have several blocks in a stretch, and fewer rows than stretches.
    [Theory]
    [InlineData(1, DType.F32, 2e-6)]
    [InlineData(2, DType.F32, 2e-6)]
    [InlineData(1, DType.BF16, 1e-2)]
    [InlineData(2, DType.BF16, 1e-2)]
    [InlineData(3, DType.BF16, 1e-2)]
    internal void Loss_in_the_caches_of_any_processor_equals_logits_and_autograd(int tiles, DType dtype, double tolerance)
    {
        CpuOnly();
        foreach (var (rows, classes, width) in new[] { (29, 1037, 36), (14, 40_000, 72), (3, 20, 64), (1, 1, 8), (100, 2111, 384) })
        {
            using var scope = TensorScope.Open("test");
            var x = Random([rows, width], 1).To(dtype);
            var weight = Random([classes, width], 2).Mul(2 / Math.Sqrt(width)).To(dtype);
            var targets = Targets(rows, classes);
            var weights = Weights(rows);
            var (losses, gradient) = InCaches.CallTwo(x, weight, targets, weights, true, tiles);
            var (expected, dx) = Separately(x.To(DType.F32), weight.To(DType.F32), targets, weights);
            Near(expected, losses.ToArray<float>(), 1e-5);
            Near(dx, gradient.To(DType.F32).ToArray<float>(), tolerance);

            var (alone, none) = InCaches.CallTwo(x, weight, targets, weights, false, tiles);
            Assert.Equal(losses.ToArray<float>(), alone.ToArray<float>());
            Assert.Equal([0, width], none.Shape);
        }
    }

    [Fact]
    public void A_nearly_certain_target_has_its_small_loss_and_gradient_to_many_digits()
    {
        CpuOnly();
        using var scope = TensorScope.Open("test");
        var (x, weight) = (Random([20, 32], 3), Random([500, 32], 4));
        var targets = CreateOps.On(Device.Cpu, Enumerable.Repeat(77L, 20).ToArray());

        // The target's logit is some 10 to 20 above all others: losses of about 1e-6, whose gradients a probability in fp32 no longer knows.
        var norm = weight.Slice(0, 77, 78).Pow(2).Sum().Item();
        x = x.Mul(0.2).Add(weight.Slice(0, 77, 78).Mul(30 / norm));
        var (losses, gradient) = x.LinearCrossEntropy(weight, targets, Weights(20), true);
        var (expected, dx) = Separately(x.To(DType.F64), weight.To(DType.F64), targets, Weights(20).To(DType.F64));
        Assert.True(expected.Max() < 1e-3 && expected.Min() < 1e-5, $"{expected.Min()} to {expected.Max()}");
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(expected[i], losses.ToArray<float>()[i], 1e-4 * expected[i]);
            var row = dx.AsSpan(i * 32, 32).ToArray();
            var ours = gradient.ToArray<float>().AsSpan(i * 32, 32).ToArray();
            Assert.All(row.Zip(ours), pair => Assert.Equal(pair.First, pair.Second, 1e-4 * row.Max(Math.Abs)));
        }
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    internal void No_row_depends_on_the_others_or_on_the_number_of_threads(DType dtype)
    {
        CpuOnly();
        using var scope = TensorScope.Open("test");
        var (x, weight) = (Random([50, 64], 5).To(dtype), Random([3000, 64], 6).To(dtype));
        var (targets, weights) = (Targets(50, 3000), Weights(50));
        var (losses, gradient) = x.LinearCrossEntropy(weight, targets, weights, true);
        var (part, partGradient) = x.Slice(0, 17, 40).LinearCrossEntropy(weight, targets.Slice(0, 17, 40), weights.Slice(0, 17, 40), true);
        Assert.Equal(losses.Slice(0, 17, 40).ToArray<float>(), part.ToArray<float>());
        Assert.Equal(gradient.Slice(0, 17, 40).To(DType.F32).ToArray<float>(), partGradient.To(DType.F32).ToArray<float>());
        Torch.Threads = 2;
        var (two, twoGradient) = x.LinearCrossEntropy(weight, targets, weights, true);
        Assert.Equal(losses.ToArray<float>(), two.ToArray<float>());
        Assert.Equal(gradient.To(DType.F32).ToArray<float>(), twoGradient.To(DType.F32).ToArray<float>());
    }

    [Fact]
    public void A_head_that_learns_has_the_same_losses_and_gradient_of_hidden_states()
    {
        using var scope = TensorScope.Open("test");
        var weight = Random([300, 48], 7).To(TestDevice.Device);
        var (hidden, targets, weights) = (Random([40, 48], 8).To(TestDevice.Device), Targets(40, 300).To(TestDevice.Device), Weights(40).To(TestDevice.Device));
        hidden.RequiresGrad = true;
        (double Loss, float[] Tokens, float[] Gradient) Of(bool learns)
        {
            using var ledger = new Ledger(new One(weight), new LedgerOptions { Device = TestDevice.Device, Trainable = _ => learns });
            var head = ledger.Root.Take("head", 300, 48);
            var (loss, tokens, gradient) = LinearCrossEntropy.Run(hidden, head, targets, weights);
            return (loss, tokens, gradient!.ToArray<float>());
        }

        var (frozen, learning) = (Of(false), Of(true));
        Assert.Equal(learning.Loss, frozen.Loss, 1e-4);
        Near(learning.Tokens, frozen.Tokens, 1e-5);
        Near(learning.Gradient, frozen.Gradient, 1e-5);
    }

    [Fact]
    public void What_is_no_number_is_no_loss_and_a_target_outside_the_vocabulary_is_refused()
    {
        CpuOnly();
        using var scope = TensorScope.Open("test");
        var (x, weight) = (Random([2, 8], 9), Random([50, 8], 10));
        x.Slice(0, 1, 2).Copy_(CreateOps.Zeros([1, 8]).Mul(double.NaN));
        var (losses, gradient) = x.LinearCrossEntropy(weight, Targets(2, 50), Weights(2), true);
        Assert.Equal([false, true], losses.ToArray<float>().Select(float.IsNaN));
        Assert.Equal([false, true], gradient.ToArray<float>().Chunk(8).Select(row => row.All(float.IsNaN)));
        var wrong = CreateOps.On(Device.Cpu, [0L, 50L]);
        Assert.Contains("target 50", Assert.Throws<TorchException>(() => x.LinearCrossEntropy(weight, wrong, Weights(2), true)).Message);
        Assert.Throws<TorchException>(() => x.LinearCrossEntropy(Random([50, 9], 1), Targets(2, 50), Weights(2), true));
    }

    private static void CpuOnly() => TestFiles.Require(TestDevice.IsCpu, "cards multiply by their library");

    private static Tensor Random(long[] shape, ulong seed)
    {
        Torch.Seed(seed);
        return CreateOps.Empty(shape).Normal_(0, 1);
    }

    // The first, the last, and others in between.
    private static Tensor Targets(int rows, int classes) =>
        CreateOps.On(Device.Cpu, Enumerable.Range(0, rows).Select(i => i == 1 ? classes - 1 : i * 379L % classes).ToArray());

    private static Tensor Weights(int rows) => CreateOps.On(Device.Cpu, Enumerable.Range(0, rows).Select(i => 0.1f * (i % 7)).ToArray());

    private static (float[] Losses, float[] Gradient) Separately(Tensor x, Tensor weight, Tensor targets, Tensor weights)
    {
        var leaf = x.Clone().Detach();
        leaf.RequiresGrad = true;
        var losses = leaf.Linear(weight).CrossEntropy(targets);
        Autograd.Backward(losses.Mul(weights).Sum());
        return (losses.Detach().To(DType.F32).ToArray<float>(), leaf.Grad()!.To(DType.F32).ToArray<float>());
    }

    private static void Near(float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        var most = Math.Max(1, expected.Max(Math.Abs)) * tolerance;
        Assert.All(expected.Zip(actual), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= most, $"expected {pair.First:R}, got {pair.Second:R}"));
    }

    private sealed class One(Tensor tensor) : IWeightSource
    {
        public IReadOnlyCollection<string> Names => [];

        public bool Has(string name) => true;

        public Tensor Read(string name, long[] shape) => tensor.Clone();
    }
}
