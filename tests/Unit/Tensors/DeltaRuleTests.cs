using System.Runtime.InteropServices;

namespace Fovea.Tests.Unit.Tensors;

/// <summary>The gated delta rule against its recurrence written as loops.</summary>
public sealed class DeltaRuleTests : NativeTest
{
    private static readonly Operator Formula = new("fovea::delta_rule_formula");
    private static readonly Operator ByTiles = new("fovea::delta_rule_by_tiles");
    private static readonly Operator GradientsByTiles = new("fovea::delta_rule_gradients_by_tiles");

    [Fact]
    public void Gradients_of_the_loops_are_their_differences()
    {
        var loops = Loops(Drawn(9, 1, 2, 3, 4, 2), 1, 2, 3, 4, [0, 4, 9]);
        var random = new Random(5);
        double[] Many(int count) => Array.ConvertAll(new double[count], _ => random.NextDouble() - 0.5);
        var (gradient, final) = (Many(72), Many(48));
        var all = loops.Backward(gradient, final);
        for (var which = 0; which < 6; which++)
        {
            for (var i = 0; i < all[which].Length; i++)
            {
                const double change = 1e-5;
                var before = loops.Inputs[which][i];
                loops.Inputs[which][i] = before + change;
                var above = Sum();
                loops.Inputs[which][i] = before - change;
                var below = Sum();
                loops.Inputs[which][i] = before;
                Assert.Equal((above - below) / (2 * change), all[which][i], 1e-8);
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
    [InlineData(DType.F16, 4e-3, 2, 4, 16, 24)]
    [InlineData(DType.F32, 2e-5, 1, 1, 128, 128)]
    [InlineData(DType.BF16, 2e-2, 1, 1, 128, 128)]
    [InlineData(DType.F32, 2e-5, 1, 3, 20, 9)]
    [InlineData(DType.F32, 2e-5, 5, 10, 33, 70)]
    internal void The_rule_and_its_gradients_equal_the_loops(DType dtype, double tolerance, int keyHeads, int heads, int keys, int values)
    {
        // A single token, some, more than a chunk, none, a whole chunk, several.
        long[] boundaries = [0, 1, 3, 68, 68, 132, 300];
        var inputs = Drawn(300, keyHeads, heads, keys, values, 6);
        CompareWithLoops(inputs, dtype, tolerance, keyHeads, heads, keys, values, boundaries, Rule);
        if (dtype == DType.F32)
        {
            CompareWithLoops(inputs, dtype, tolerance, keyHeads, heads, keys, values, boundaries, Separate);
        }
    }

    [Fact]
    public void Strong_decay_full_and_empty_writing_and_zeros_are_no_trouble()
    {
        var inputs = Drawn(200, 2, 2, 16, 24, 2);
        var random = new Random(7);
        for (var i = 0; i < inputs[3].Length; i++)
        {
            inputs[3][i] = random.Next(4) switch { 0 => -1e4f, 1 => -90, 2 => -1e-6f, _ => 0 };
            inputs[4][i] = random.Next(3) / 2f;
        }

        foreach (var token in new[] { 0, 5, 63, 64, 130 })
        {
            Array.Clear(inputs[0], token * 32, 32);
            Array.Clear(inputs[1], (token + 1) * 32, 32);
        }

        CompareWithLoops(inputs, DType.F32, 2e-5, 2, 2, 16, 24, [0, 70, 200], Rule);
    }

    [Fact]
    public void A_segment_has_the_bits_that_it_has_alone_wherever_it_begins()
    {
        const int tokens = 70;
        using var scope = TensorScope.Open("test");
        var own = Run(Tensors(Drawn(tokens, 2, 4, 16, 24, 0), 2, 4, 16, 24), [0, tokens]);
        for (var before = 1; before <= 65; before++)
        {
            using var inner = TensorScope.Open("inner");
            var others = Tensors(Drawn(before, 2, 4, 16, 24, 0), 2, 4, 16, 24);
            Tensor[] around = [.. own.Leaves.Zip(others, (x, other) => ShapeOps.Cat([other, x.Detach(), other]))];
            var packed = Run(around, [0, before, before + tokens, (2 * before) + tokens], own.Gradient);
            for (var i = 0; i < own.Values.Length; i++)
            {
                Same(own.Values[i].ToArray<float>(), packed.Values[i].Slice(0, before, before + tokens).Contiguous().ToArray<float>());
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Bits_do_not_depend_on_threads(int heads)
    {
        TestFiles.Require(TestDevice.IsCpu, "on a card nothing depends on the threads of the host");
        using var scope = TensorScope.Open("test");
        long[] boundaries = [0, 150, 160, 300];
        var inputs = Tensors(Drawn(300, heads, heads, 32, 128, 0), heads, heads, 32, 128);
        var weight = CreateOps.Empty([inputs[2].Size(1) * 128, 4]).Normal_(0, 1);
        float[][] All()
        {
            var (_, values, _) = Run(inputs, boundaries);
            var (x, w) = (inputs[2].View(300, -1).Clone(), weight.Clone());
            x.RequiresGrad = w.RequiresGrad = true;
            var y = RecurrentOps.ShortConvolution(x, w, boundaries);
            Autograd.Backward(y, y.Detach());
            return [.. values.Select(value => value.ToArray<float>()), y.Detach().ToArray<float>(), x.Grad()!.ToArray<float>(), w.Grad()!.ToArray<float>()];
        }

        var one = All();
        Torch.Threads = 2;
        var two = All();
        for (var i = 0; i < one.Length; i++)
        {
            Same(one[i], two[i]);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Tiles_of_any_processor_equal_the_loops(int tiles)
    {
        TestFiles.Require(TestDevice.IsCpu, "cards have kernels of their own");
        using var scope = TensorScope.Open("test");
        long[] boundaries = [0, 1, 67, 150];
        var drawn = Drawn(150, 1, 3, 20, 40, 3);
        var x = Tensors(drawn, 1, 3, 20, 40, 3);
        var loops = Loops(drawn, 1, 3, 20, 40, boundaries);
        loops.Forward();
        var (y, states) = ByTiles.CallTwo(x[0], x[1], x[2], x[3], x[4], boundaries, x[5], tiles);
        Near("out", loops.Out, y, 1e-5);
        Near("states", loops.Final, states, 1e-5);
        var (gradient, final) = (y.Mul(0.5), states.Mul(0.25));
        var gradients = GradientsByTiles.CallList(gradient, final, x[0], x[1], x[2], x[3], x[4], boundaries, x[5], tiles);
        var expected = loops.Backward(DeltaLoops.Doubles(gradient), DeltaLoops.Doubles(final));
        for (var i = 0; i < 6; i++)
        {
            Near($"gradient {i}", expected[i], gradients[i], 2e-5);
        }
    }

    [Fact]
    public void Steps_from_states_equal_the_rule_and_their_bits_depend_on_their_sequence_alone()
    {
        using var scope = TensorScope.Open("test");
        var drawn = Drawn(90, 2, 4, 20, 40, 2);
        var x = Tensors(drawn, 2, 4, 20, 40, 2);
        var loops = Loops(drawn, 2, 4, 20, 40, [0, 70, 90]);
        loops.Forward();
        var initial = x[5];
        Tensor Pool() => ShapeOps.Cat(
            [On(CreateOps.Zeros([1, 4, 20, 40])), initial.Slice(0, 1, 2), On(CreateOps.Ones([1, 4, 20, 40])), initial.Slice(0, 0, 1)]);
        var states = Pool();
        var y = RecurrentOps.DeltaSteps(x[0], x[1], x[2], x[3], x[4], [0, 70, 90], states, [3, 1]);
        Near("out", loops.Out, y, 1e-5);
        Near("first", loops.Final[..3200], states.Slice(0, 3, 4), 1e-5);
        Near("second", loops.Final[3200..], states.Slice(0, 1, 2), 1e-5);
        Same(Pool().Slice(0, 2, 3).ToArray<float>(), states.Slice(0, 2, 3).ToArray<float>());

        // The first sequence alone, cut anywhere.
        var cut = Pool();
        var (outs, from) = (new List<Tensor>(), 0L);
        foreach (var end in new[] { 1L, 2, 40, 69, 70 })
        {
            var part = Array.ConvertAll(x[..5], t => t.Slice(0, from, end));
            outs.Add(RecurrentOps.DeltaSteps(part[0], part[1], part[2], part[3], part[4], [0, end - from], cut, [3]));
            from = end;
        }

        Same(y.Slice(0, 0, 70).Contiguous().ToArray<float>(), ShapeOps.Cat([.. outs]).ToArray<float>());
        Same(states.Slice(0, 3, 4).ToArray<float>(), cut.Slice(0, 3, 4).ToArray<float>());
    }

    [Fact]
    public void Steps_refuse_states_that_do_not_fit()
    {
        using var scope = TensorScope.Open("test");
        var x = Tensors(Drawn(2, 2, 4, 16, 24, 0), 2, 4, 16, 24);
        var states = On(CreateOps.Zeros([2, 4, 16, 24]));
        foreach (var slots in new long[][] { [0], [0, 2], [1, 1], [-1, 0] })
        {
            var e = Assert.Throws<TorchException>(() => RecurrentOps.DeltaSteps(x[0], x[1], x[2], x[3], x[4], [0, 1, 2], states, slots));
            Assert.Contains("slot", e.Message);
        }

        Assert.Throws<TorchException>(() => RecurrentOps.DeltaSteps(x[0], x[1], x[2], x[3], x[4], [0, 2], states.Slice(2, 0, 8), [0]));
        Assert.Throws<TorchException>(() => RecurrentOps.DeltaRule(x[0], x[1], x[2], x[3], x[4], [0, 3]));
        Assert.Throws<TorchException>(() => RecurrentOps.DeltaRule(x[0], x[1], x[2], x[3].To(DType.BF16), x[4], [0, 2]));
    }

    [Theory]
    [InlineData(DType.F32, 4, 2e-6)]
    [InlineData(DType.F32, 1, 2e-6)]
    [InlineData(DType.BF16, 4, 2e-2)]
    [InlineData(DType.F16, 4, 4e-3)]
    internal void The_convolution_and_its_gradients_equal_their_formula(DType dtype, int length, double tolerance)
    {
        using var scope = TensorScope.Open("test");
        const int columns = 147;
        long[] boundaries = [0, 1, 3, 70, 70, 260];
        Torch.Seed(4);
        Tensor Normal(params long[] shape) => On(CreateOps.Empty(shape).Normal_(0, 1)).To(dtype);
        var (x, weight, before, gradient) = (Normal(260, columns), Normal(columns, length), Normal(5, length - 1, columns), Normal(260, columns));
        x.RequiresGrad = weight.RequiresGrad = true;
        var (y, last) = RecurrentOps.ShortConvolutionFrom(x, weight, boundaries, before);
        Autograd.Backward(y, gradient);
        var (expected, rows, dx, dweight) = Convolve(x, weight, boundaries, before, gradient);
        Near("y", expected, y, tolerance);
        Near("x", dx, x.Grad()!, tolerance);
        Near("weight", dweight, weight.Grad()!, tolerance);
        if (length > 1)
        {
            Near("rows", rows, last, 0);
            var pool = ShapeOps.Cat([before, before.Slice(0, 0, 1)]);
            using var none = Autograd.NoGrad();
            var steps = RecurrentOps.ConvolutionSteps(x, weight, boundaries, pool, [5, 1, 2, 3, 4]);
            Same(y.Detach().To(DType.F32).ToArray<float>(), steps.To(DType.F32).ToArray<float>());
            Near("pool", rows[..((length - 1) * columns)], pool.Slice(0, 5, 6), 0);
        }
    }

    [Theory]
    [InlineData(DType.F32, 1e-6)]
    [InlineData(DType.BF16, 1e-2)]
    internal void Gates_and_their_gradients_equal_their_formula(DType dtype, double tolerance)
    {
        using var scope = TensorScope.Open("test");
        Torch.Seed(5);
        Tensor Normal(double deviation, params long[] shape) => On(CreateOps.Empty(shape).Normal_(0, deviation));
        var (a, b) = (Normal(12, 70, 3).To(dtype), Normal(3, 70, 3).To(dtype));
        var (rate, step, dg, dbeta) = (Normal(1, 3), Normal(1, 3), Normal(1, 70, 3), Normal(1, 70, 3));
        a.RequiresGrad = b.RequiresGrad = rate.RequiresGrad = step.RequiresGrad = true;
        var (g, beta) = RecurrentOps.DeltaGates(a, b, rate, step);
        Autograd.Backward([g, beta], [dg, dbeta]);
        var (x, y, r, s) = (DeltaLoops.Doubles(a), DeltaLoops.Doubles(b), DeltaLoops.Doubles(rate), DeltaLoops.Doubles(step));
        var (u, w) = (DeltaLoops.Doubles(dg), DeltaLoops.Doubles(dbeta));
        double Sigmoid(double z) => 1 / (1 + Math.Exp(-z));
        double[] Each(Func<int, double> of) => [.. Enumerable.Range(0, 210).Select(of)];
        double[] Sum(double[] all) => [.. Enumerable.Range(0, 3).Select(h => all.Where((_, i) => i % 3 == h).Sum())];
        var values = Each(i => -Math.Exp(r[i % 3]) * Math.Log(1 + Math.Exp(x[i] + s[i % 3])));
        var inner = Each(i => -u[i] * Math.Exp(r[i % 3]) * Sigmoid(x[i] + s[i % 3]));
        Near("g", values, g, 1e-6);
        Near("beta", Each(i => Sigmoid(y[i])), beta, 1e-6);
        Near("a", inner, a.Grad()!, tolerance);
        Near("b", Each(i => w[i] * Sigmoid(y[i]) * Sigmoid(-y[i])), b.Grad()!, tolerance);
        Near("rate", Sum(Each(i => u[i] * values[i])), rate.Grad()!, 1e-5);
        Near("step", Sum(inner), step.Grad()!, 1e-5);
    }

    [Theory]
    [InlineData(DType.F32, 2, 4)]
    [InlineData(DType.F32, 8, 8)]
    [InlineData(DType.BF16, 2, 4)]
    [InlineData(DType.F16, 2, 4)]
    internal void The_rule_of_one_mixed_tensor_has_the_bits_of_the_rule_of_its_parts(DType dtype, int keyHeads, int heads)
    {
        using var scope = TensorScope.Open("test");
        long[] boundaries = [0, 1, 67, 150];
        var parts = Tensors(Drawn(150, keyHeads, heads, 20, 24, 0), keyHeads, heads, 20, 24);
        var apart = Array.ConvertAll(parts, x => x.Clone());
        for (var i = 0; i < 3; i++)
        {
            (parts[i], apart[i]) = (parts[i].To(dtype), apart[i].To(dtype));
        }

        Tensor[] together = [ShapeOps.Cat([.. parts[..3].Select(x => x.View(150, -1))], 1), parts[3].Clone(), parts[4].Clone()];
        foreach (var leaf in apart.Concat(together))
        {
            leaf.RequiresGrad = true;
        }

        var expected = RecurrentOps.DeltaRule(apart[0], apart[1], apart[2], apart[3], apart[4], boundaries);
        var y = RecurrentOps.DeltaRuleMixed(together[0], together[1], together[2], keyHeads, 20, boundaries);
        Same(Wide(expected.Detach()), Wide(y.Detach()));
        var gradient = CreateOps.Empty(y.Shape).Normal_(0, 1).To(dtype);
        Autograd.Backward(expected, gradient);
        Autograd.Backward(y, gradient);
        Same(Wide(ShapeOps.Cat([.. apart[..3].Select(x => x.Grad()!.View(150, -1))], 1)), Wide(together[0].Grad()!));
        Same(Wide(apart[3].Grad()!), Wide(together[1].Grad()!));
        Same(Wide(apart[4].Grad()!), Wide(together[2].Grad()!));
        Assert.Throws<TorchException>(() => RecurrentOps.DeltaRuleMixed(together[0], together[1], together[2], 3, 20, boundaries));

        static float[] Wide(Tensor x) => x.To(DType.F32).ToArray<float>();
    }

    [Fact]
    public void What_the_kernels_of_a_card_work_in_is_known() // as the emulation of these kernels has it: delta.cpp
    {
        Assert.Equal(302_776_320L * sizeof(float), RecurrentOps.DeltaWorkspace(8192, 16, 32, 128, 128));
    }

    [Fact]
    public void Shapes_are_known_without_memory()
    {
        using var scope = TensorScope.Open("test");
        var x = Array.ConvertAll(Tensors(Drawn(30, 2, 4, 16, 24, 0), 2, 4, 16, 24), t => t.To(Device.Meta));
        var weight = CreateOps.Empty([96, 4], DType.F32, Device.Meta);
        foreach (var leaf in x.Append(weight))
        {
            leaf.RequiresGrad = true;
        }

        var v = RecurrentOps.ShortConvolution(x[2].View(30, 96), weight, [0, 9, 30]).View(30, 4, 24);
        var y = RecurrentOps.DeltaRule(x[0], x[1], v, x[3], x[4], [0, 9, 30]);
        Assert.Equal([30, 4, 24], y.Shape);
        Autograd.Backward(y, CreateOps.Empty([30, 4, 24], DType.F32, Device.Meta));
        Assert.All(x.Append(weight), leaf => Assert.Equal(leaf.Shape, leaf.Grad()!.Shape));

        Tensor[] mixed = [.. new long[][] { [30, 160], [30, 4], [30, 4] }.Select(shape => CreateOps.Empty(shape, DType.F32, Device.Meta))];
        Tensor[] norm = [CreateOps.Empty([30, 96], DType.F32, Device.Meta), CreateOps.Empty([24], DType.F32, Device.Meta)];
        foreach (var leaf in mixed.Concat(norm))
        {
            leaf.RequiresGrad = true;
        }

        var gated = RecurrentOps.DeltaRuleMixed(mixed[0], mixed[1], mixed[2], 2, 16, [0, 9, 30]).GatedNorm(norm[0], norm[1], 1e-6);
        Assert.Equal([30, 96], gated.Shape);
        Autograd.Backward(gated, CreateOps.Empty([30, 96], DType.F32, Device.Meta));
        Assert.All(mixed.Concat(norm), leaf => Assert.Equal(leaf.Shape, leaf.Grad()!.Shape));
    }

    private static Tensor On(Tensor x) => x.To(TestDevice.Device);

    private static Tensor[] Tensors(float[][] drawn, int keyHeads, int heads, int keys, int values, int segments = 0)
    {
        var tokens = drawn[3].Length / heads;
        long[][] shapes =
            [[tokens, keyHeads, keys], [tokens, keyHeads, keys], [tokens, heads, values], [tokens, heads], [tokens, heads], [segments, heads, keys, values]];
        return [.. drawn[..(segments == 0 ? 5 : 6)].Select((x, i) => CreateOps.From(x, shapes[i]).To(TestDevice.Device))];
    }

    /// <summary>The output and the gradients.</summary>
    private static (Tensor[] Leaves, Tensor[] Values, Tensor Gradient) Run(Tensor[] inputs, long[] boundaries, Tensor? gradient = null)
    {
        var leaves = Array.ConvertAll(inputs, x => x.Clone());
        foreach (var leaf in leaves)
        {
            leaf.RequiresGrad = true;
        }

        var y = RecurrentOps.DeltaRule(leaves[0], leaves[1], leaves[2], leaves[3], leaves[4], boundaries);
        Torch.Seed(9);
        gradient ??= On(CreateOps.Empty(y.Shape).Normal_(0, 1));
        var rest = (y.Size(0) - gradient.Size(0)) / 2;
        var around = On(CreateOps.Ones([rest, y.Size(1), y.Size(2)]));
        Autograd.Backward(y, rest == 0 ? gradient : ShapeOps.Cat([around, gradient, around]));
        return (leaves, [y.Detach(), .. leaves.Select(leaf => leaf.Grad()!)], gradient);
    }

    private static (double[] Y, double[] Rows, double[] Dx, double[] Dweight) Convolve(
        Tensor input, Tensor weight, long[] boundaries, Tensor initial, Tensor gradient)
    {
        var (columns, length, before) = ((int)weight.Size(0), (int)weight.Size(1), (int)weight.Size(1) - 1);
        var (x, w, first, dy) = (DeltaLoops.Doubles(input), DeltaLoops.Doubles(weight), DeltaLoops.Doubles(initial), DeltaLoops.Doubles(gradient));
        var (y, rows, dx, dw) = (new double[x.Length], new double[first.Length], new double[x.Length], new double[w.Length]);
        for (var n = 0; n < boundaries.Length - 1; n++)
        {
            var (start, end) = ((int)boundaries[n], (int)boundaries[n + 1]);
            for (var c = 0; c < columns; c++)
            {
                double At(int t) => t >= start ? x[(t * columns) + c] : first[(((n * before) + t - start + before) * columns) + c];
                for (var t = start; t < end; t++)
                {
                    var z = Enumerable.Range(0, length).Sum(i => w[(c * length) + i] * At(t - before + i));
                    var s = 1 / (1 + Math.Exp(-z));
                    y[(t * columns) + c] = z * s;
                    var dz = dy[(t * columns) + c] * (s + (z * s * (1 - s)));
                    for (var i = 0; i < length; i++)
                    {
                        dw[(c * length) + i] += dz * At(t - before + i);
                        if (t - before + i >= start)
                        {
                            dx[((t - before + i) * columns) + c] += dz * w[(c * length) + i];
                        }
                    }
                }

                for (var i = 0; i < before; i++)
                {
                    rows[(((n * before) + i) * columns) + c] = At(end - before + i);
                }
            }
        }

        return (y, rows, dx, dw);
    }

    private static void Same(float[] expected, float[] actual) =>
        Assert.True(MemoryMarshal.AsBytes<float>(expected).SequenceEqual(MemoryMarshal.AsBytes<float>(actual)));

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
        var leaves = Tensors(inputs, keyHeads, heads, keys, values, boundaries.Length - 1)
            .Select((x, i) => x.To(i < 3 ? dtype : DType.F32)).ToArray();
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
        var gradient = On(CreateOps.Empty(y.Shape).Normal_(0, 1)).To(dtype);
        var final = On(CreateOps.Empty(states.Shape).Normal_(0, 1));
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
        tolerance = TestDevice.Tolerance(tolerance);
        var scale = Math.Max(expected.Max(Math.Abs), 1e-30); // numbers that have not all their bits are 0 in the kernels
        for (var i = 0; i < expected.Length; i++)
        {
            var apart = Math.Abs(expected[i] - numbers[i]);
            Assert.True(apart <= tolerance * scale, $"{what} {i}: expected {expected[i]:R}, got {numbers[i]:R}, largest {scale:R}");
        }
    }
}
