namespace Fovea.Tests.Unit.Tensors;

/// <summary>The gated delta rule against its recurrence written as loops.</summary>
public sealed class DeltaRuleTests : NativeTest
{
    private static readonly Operator Formula = new("fovea::delta_rule_formula");

    [Fact]
    public void Gradients_of_the_loops_are_their_differences()
    {
        var loops = Loops(Drawn(9, 1, 2, 3, 4, 2), 1, 2, 3, 4, [0, 4, 9]);
        var random = new Random(5);
        var (gradient, final) = (Array.ConvertAll(new double[72], _ => random.NextDouble() - 0.5), Array.ConvertAll(new double[48], _ => random.NextDouble() - 0.5));
        var all = loops.Backward(gradient, final);
        for (var which = 0; which < 6; which++)
        {
            for (var i = 0; i < all[which].Length; i++)
            {
                const double Step = 1e-5;
                var before = loops.Inputs[which][i];
                loops.Inputs[which][i] = before + Step;
                var above = Sum();
                loops.Inputs[which][i] = before - Step;
                var below = Sum();
                loops.Inputs[which][i] = before;
                Assert.Equal((above - below) / (2 * Step), all[which][i], 1e-8);
            }
        }

        double Sum()
        {
            loops.Forward();
            return loops.Out.Zip(gradient, (x, y) => x * y).Sum() + loops.Final.Zip(final, (x, y) => x * y).Sum();
        }
    }

    [Theory]
    [InlineData(DType.F32, 2e-5, 2, 4, 16, 24)]
    [InlineData(DType.BF16, 2e-2, 2, 4, 16, 24)]
    [InlineData(DType.F32, 2e-5, 1, 1, 128, 128)]
    [InlineData(DType.F32, 2e-5, 1, 3, 20, 9)]
    internal void The_rule_and_its_gradients_equal_the_loops(DType dtype, double tolerance, int keyHeads, int heads, int keys, int values)
    {
        long[] boundaries = [0, 1, 3, 66, 66, 130, 300];
        CompareWithLoops(Drawn(300, keyHeads, heads, keys, values, 6), dtype, tolerance, keyHeads, heads, keys, values, boundaries, Rule);
        CompareWithLoops(Drawn(300, keyHeads, heads, keys, values, 6), dtype, tolerance, keyHeads, heads, keys, values, boundaries, Separate);
    }

    private static (Tensor Out, Tensor States) Rule(Tensor[] x, long[] boundaries) =>
        RecurrentOps.DeltaRuleFrom(x[0], x[1], x[2], x[3], x[4], boundaries, x.Length > 5 ? x[5] : null);

    private static (Tensor Out, Tensor States) Separate(Tensor[] x, long[] boundaries) => Formula.CallTwo(x[0], x[1], x[2], x[3], x[4], boundaries, x[5]);

    /// <summary>q, k, v, g, beta and initial states.</summary>
    private static float[][] Drawn(int tokens, int keyHeads, int heads, int keys, int values, int segments)
    {
        var random = new Random(tokens + keys);
        float Normal() => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        float[] Many(int count, Func<float> draw) => Array.ConvertAll(new float[count], _ => draw());
        return
        [
            Many(tokens * keyHeads * keys, Normal), Many(tokens * keyHeads * keys, Normal), Many(tokens * heads * values, Normal),
            Many(tokens * heads, () => -0.3f * (float)random.NextDouble()), Many(tokens * heads, random.NextSingle),
            Many(segments * heads * keys * values, Normal),
        ];
    }

    private static DeltaLoops Loops(float[][] inputs, int keyHeads, int heads, int keys, int values, long[] boundaries) => new()
    {
        KeyHeads = keyHeads,
        Heads = heads,
        Keys = keys,
        Values = values,
        Boundaries = boundaries,
        Inputs = Array.ConvertAll(inputs, x => Array.ConvertAll(x, value => (double)value)),
    };

    private static void CompareWithLoops(
        float[][] inputs, DType dtype, double tolerance, int keyHeads, int heads, int keys, int values, long[] boundaries,
        Func<Tensor[], long[], (Tensor Out, Tensor States)> rule)
    {
        using var scope = TensorScope.Open("test");
        var tokens = boundaries[^1];
        long[][] shapes =
            [[tokens, keyHeads, keys], [tokens, keyHeads, keys], [tokens, heads, values], [tokens, heads], [tokens, heads], [boundaries.Length - 1, heads, keys, values]];
        var leaves = inputs.Select((x, i) => CreateOps.On(TestDevice.Device, x, shapes[i]).To(i < 3 ? dtype : DType.F32)).ToArray();
        foreach (var leaf in leaves)
        {
            leaf.RequiresGrad = true;
        }

        var loops = Loops(Array.ConvertAll(leaves, leaf => leaf.Detach().To(DType.F32).ToArray<float>()), keyHeads, heads, keys, values, boundaries);
        loops.Forward();
        var (y, states) = rule(leaves, boundaries);
        Near("out", loops.Out, y, tolerance);
        Near("states", loops.Final, states, dtype == DType.F32 ? 1e-5 : tolerance);
        Torch.Seed(3);
        var gradient = CreateOps.Empty(y.Shape).Normal_(0, 1).To(TestDevice.Device).To(dtype);
        var final = CreateOps.Empty(states.Shape).Normal_(0, 1).To(TestDevice.Device);
        Autograd.Backward([y, states], [gradient, final]);
        var expected = loops.Backward(DeltaLoops.Doubles(gradient), DeltaLoops.Doubles(final));
        string[] names = ["q", "k", "v", "g", "beta", "initial"];
        for (var i = 0; i < names.Length; i++)
        {
            Near(names[i], expected[i], leaves[i].Grad()!, tolerance);
        }
    }

    /// <summary>Within a tolerance of the largest number.</summary>
    private static void Near(string what, double[] expected, Tensor actual, double tolerance)
    {
        var numbers = DeltaLoops.Doubles(actual);
        Assert.Equal(expected.Length, numbers.Length);
        var scale = expected.Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++)
        {
            var apart = Math.Abs(expected[i] - numbers[i]);
            Assert.True(apart <= tolerance * scale, $"{what} {i}: expected {expected[i]:R}, got {numbers[i]:R}, largest {scale:R}");
        }
    }
}
