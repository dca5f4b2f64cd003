namespace Fovea.Tests.Unit.Tensors;

/// <summary>Every fused kernel against the plain formula in separate operators, values and gradients, fp32 and bf16.</summary>
public sealed class KernelTests : NativeTest
{
    private static readonly Operator BySegments = new("fovea::attention_by_segments");
    private static readonly Operator ByTiles = new("fovea::attention_by_tiles");

    [Theory]
    [InlineData(DType.F32, 1e-6)]
    [InlineData(DType.BF16, 1e-2)]
    internal void Rms_norm_equals_its_formula(DType dtype, double tolerance)
    {
        Compare(
            dtype,
            tolerance,
            [[7, 3, 37], [37]],
            x => x[0].RmsNorm(x[1], 1e-5),
            x => x[0].Mul(x[0].Pow(2).Mean(-1, keepDim: true).Add(1e-5).Rsqrt()).Mul(x[1]));
    }

    [Theory]
    [InlineData(DType.F32, 1e-6)]
    [InlineData(DType.BF16, 1e-2)]
    internal void Rms_norm_with_weights_around_0_equals_its_formula_also_on_a_slice(DType dtype, double tolerance)
    {
        Compare(
            dtype,
            tolerance,
            [[7, 3, 2, 37], [37]],
            x => x[0].Select(2, 1).RmsNorm(x[1], 1e-5, 1),
            x =>
            {
                var part = x[0].Select(2, 1);
                return part.Mul(part.Pow(2).Mean(-1, keepDim: true).Add(1e-5).Rsqrt()).Mul(x[1].Add(1));
            });
    }

    [Theory]
    [InlineData(DType.F32, 37, 2e-6)]
    [InlineData(DType.F32, 128, 2e-6)]
    [InlineData(DType.BF16, 37, 1e-2)]
    [InlineData(DType.BF16, 64, 1e-2)]
    internal void Gated_norm_equals_its_formula(DType dtype, long size, double tolerance)
    {
        // Two blocks of rows, as the sums of the weight's gradient have them.
        Compare(
            dtype,
            tolerance,
            [[300, 3, size], [300, 3 * size], [size]],
            x => x[0].GatedNorm(x[1], x[2], 1e-5),
            x => x[1].Silu().Mul(x[0].Mul(x[0].Pow(2).Mean(-1, keepDim: true).Add(1e-5).Rsqrt()).Mul(x[2]).Reshape(300, 3 * size)));
    }

    [Fact]
    public void A_weight_around_0_is_not_rounded_away_beside_the_1()
    {
        // 1 + 2^-9 is no number of bf16; that many times a row of length 1 rounds up where the sum is kept, and stays where it is rounded first.
        using var scope = TensorScope.Open("test");
        var (x, w) = (CreateOps.Ones([1, 4]).Mul(1 + Math.Pow(2, -7)).To(DType.BF16), CreateOps.Ones([4]).Mul(Math.Pow(2, -9)).To(DType.BF16));
        var wide = x.To(DType.F32);
        var expected = wide.Mul(wide.Pow(2).Mean(-1, keepDim: true).Rsqrt()).Mul(w.To(DType.F32).Add(1)).To(DType.BF16);
        Assert.Equal(expected.To(DType.F32).ToArray<float>(), x.RmsNorm(w, 0, 1).To(DType.F32).ToArray<float>());
    }

    [Theory]
    [InlineData(DType.F32, 2e-6)]
    [InlineData(DType.BF16, 1e-2)]
    internal void Sigmoid_mul_equals_its_formula_also_on_a_slice(DType dtype, double tolerance)
    {
        Compare(
            dtype,
            tolerance,
            [[9, 3 * 37], [9, 3, 2, 37]],
            x => NetOps.SigmoidMul(x[0], x[1].Select(2, 1)),
            x => x[0].Mul(x[1].Select(2, 1).Sigmoid().Reshape(9, 3 * 37)));
    }

    [Theory]
    [InlineData(DType.F32, 2e-6)]
    [InlineData(DType.BF16, 1e-2)]
    internal void Silu_mul_equals_its_formula(DType dtype, double tolerance)
    {
        Compare(dtype, tolerance, [[5, 67], [5, 67]], x => NetOps.SiluMul(x[0], x[1]), x => x[0].Silu().Mul(x[1]));
    }

    [Theory]
    [InlineData(DType.F32, 2e-6)]
    [InlineData(DType.BF16, 1e-2)]
    internal void Tanh_gelu_equals_its_formula(DType dtype, double tolerance)
    {
        // From far below zero to far above: 0.5 x (1 + tanh u) = x sigmoid(2 u).
        Compare(
            dtype,
            tolerance,
            [[5, 67]],
            x => x[0].Mul(4).Gelu(tanh: true),
            x =>
            {
                var wide = x[0].Mul(4);
                return wide.Mul(wide.Pow(3).Mul(0.044715).Add(wide).Mul(2 * Math.Sqrt(2 / Math.PI)).Sigmoid());
            });
    }

    [Theory]
    [InlineData(DType.F32, 1e-6)]
    [InlineData(DType.BF16, 1e-2)]
    internal void Rotary_equals_its_formula_also_on_a_slice(DType dtype, double tolerance)
    {
        using var scope = TensorScope.Open("test");
        var cos = Random([9, 10], 3);
        var sin = Random([9, 10], 4);
        Compare(
            dtype,
            tolerance,
            [[9, 3, 4, 10]],
            x => x[0].Select(1, 1).Rotary(cos, sin),
            x =>
            {
                var part = x[0].Select(1, 1);
                var halves = part.Split([5, 5], -1);
                return part.Mul(cos.Unsqueeze(1)).Add(ShapeOps.Cat([halves[1].Neg(), halves[0]], -1).Mul(sin.Unsqueeze(1)));
            });
    }

    [Theory]
    [InlineData(DType.F32, 1e-6)]
    [InlineData(DType.BF16, 1e-2)]
    internal void Rotary_of_the_first_part_of_each_head_leaves_the_rest(DType dtype, double tolerance)
    {
        using var scope = TensorScope.Open("test");
        var (cos, sin) = (Random([9, 6], 3), Random([9, 6], 4));
        Compare(
            dtype,
            tolerance,
            [[9, 3, 16]],
            x => x[0].Rotary(cos, sin),
            x => ShapeOps.Cat([x[0].Slice(2, 0, 6).Rotary(cos, sin), x[0].Slice(2, 6, 16)], -1));
    }

    [Theory]
    [InlineData(DType.F32, 1e-5, 4, 16, 11)]
    [InlineData(DType.BF16, 2e-2, 4, 16, 11)]
    [InlineData(DType.F32, 1e-5, 8, 100, 96)]
    [InlineData(DType.BF16, 2e-2, 8, 100, 96)]
    [InlineData(DType.F32, 1e-5, 12, 97, 150)]
    [InlineData(DType.F32, 1e-5, 40, 64, 48)]
    internal void Linears_with_adapters_of_one_input_equal_their_formula(DType dtype, double tolerance, int rank, int inputs, int outputs)
    {
        using var scope = TensorScope.Open("test");
        Tensor[] weights = [Random([outputs, inputs], 5).Mul(0.3).To(dtype), Random([7, inputs], 6).Mul(0.3).To(dtype)];
        Tensor[] biases = [Random([outputs], 7).To(dtype), Random([7], 8).To(dtype)];
        Compare(
            dtype,
            tolerance,
            [[70, inputs], [rank, inputs], [rank, inputs], [outputs, rank], [7, rank]],
            x => ShapeOps.Cat(x[0].LoraLinears(weights, biases, [x[1], x[2]], [x[3], x[4]], 0.5), -1),
            x => ShapeOps.Cat(
                [.. Enumerable.Range(0, 2).Select(i => x[0].Linear(weights[i].To(DType.F32), biases[i].To(DType.F32))
                    .Add(x[0].Linear(x[1 + i]).Linear(x[3 + i]).Mul(0.5)))],
                -1));
    }

    [Theory]
    [InlineData(DType.F32, 1e-5)]
    [InlineData(DType.BF16, 2e-2)]
    internal void Linears_of_stretches_of_rows_equal_one_linear_each(DType dtype, double tolerance)
    {
        // An empty stretch, one of a single row, one of a few, and one that is large enough for every library.
        long[] starts = [0, 0, 1, 6, 90];
        Compare(
            dtype,
            tolerance,
            [[90, 48], [33, 48], [33, 48], [33, 48], [33, 48]],
            x => x[0].GroupedLinear(x[1..], starts),
            x => ShapeOps.Cat([.. Enumerable.Range(0, 4).Select(i => x[0].Slice(0, starts[i], starts[i + 1]).Linear(x[1 + i]))]));
    }

    [Theory]
    [InlineData(DType.F32, false, 1e-5)]
    [InlineData(DType.F32, true, 1e-5)]
    [InlineData(DType.BF16, false, 2e-2)]
    [InlineData(DType.BF16, true, 2e-2)]
    internal void Linears_in_one_weight_equal_one_linear_each_however_it_lies(DType dtype, bool inputsFirst, double tolerance)
    {
        long[] starts = [0, 0, 1, 6, 90];
        Compare(
            dtype,
            tolerance,
            [[90, 48], inputsFirst ? [4, 48, 33] : [4, 33, 48]],
            x => x[0].StackedLinear(Matrices(x[1]), starts),
            x => ShapeOps.Cat([.. Enumerable.Range(0, 4).Select(i => x[0].Slice(0, starts[i], starts[i + 1]).Linear(Matrices(x[1]).Select(0, i)))]));

        Tensor Matrices(Tensor weight) => inputsFirst ? weight.Transpose() : weight;
    }

    [Fact]
    public void Linears_in_one_weight_refuse_what_does_not_fit()
    {
        using var scope = TensorScope.Open("test");
        var (x, w) = (Random([6, 4], 1), Random([2, 5, 4], 2));
        foreach (var (weight, starts) in new (Tensor, long[])[]
        {
            (w, [0, 6]), (w, [0, 3, 5]), (w, [0, 7, 6]), (w.Transpose(), [0, 3, 6]), (w.To(DType.BF16), [0, 3, 6]), (w.Select(0, 0), [0, 6]),
        })
        {
            Assert.Contains("stacked_linear", Assert.Throws<TorchException>(() => x.StackedLinear(weight, starts)).Message);
        }
    }

    [Fact]
    public void Linears_of_stretches_refuse_what_does_not_fit()
    {
        using var scope = TensorScope.Open("test");
        var (x, w) = (Random([6, 4], 1), Random([5, 4], 2));
        foreach (var (weights, starts) in new (Tensor[], long[])[]
        {
            ([w], [0, 5]), ([w, w], [0, 6]), ([w, w], [0, 7, 6]), ([w, Random([5, 3], 3)], [0, 3, 6]), ([w.To(DType.BF16)], [0, 6]), ([], [0]),
        })
        {
            Assert.Contains("grouped_linear", Assert.Throws<TorchException>(() => x.GroupedLinear(weights, starts)).Message);
        }
    }

    [Fact]
    public void Gradients_of_fp32_adapters_of_a_bf16_product_stay_fp32()
    {
        using var scope = TensorScope.Open("test");
        var (a, b) = (Random([4, 64], 3), Random([48, 4], 4));
        a.RequiresGrad = b.RequiresGrad = true;
        var x = Random([30, 64], 2).To(DType.BF16);
        var y = x.LoraLinears([Random([48, 64], 1).To(DType.BF16)], [], [a], [b], 1)[0];
        var gradient = Random([30, 48], 5).To(DType.BF16);
        Autograd.Backward(y, gradient);

        // B's gradient is dy^T (x A^T), with the low product in bf16 and the sum in fp32.
        var low = x.Linear(a.Detach().To(DType.BF16)).To(DType.F32);
        var expected = gradient.To(DType.F32).Transpose().MatMul(low);
        Assert.Equal(DType.F32, b.Grad()!.DType);

        // GPUs whose libtorch has no product of 16 bits with a wide sum (before 2.8) round that sum once.
        var tolerance = TestDevice.IsCpu || Operator.Exists("aten::mm", "dtype") ? 1e-4 : 4e-3;
        Assert.True(b.Grad()!.Sub(expected).Abs().Max().Item() < tolerance * expected.Abs().Max().Item());
    }

    [Fact]
    public void Linears_with_adapters_refuse_a_weight_that_learns_or_does_not_fit()
    {
        using var scope = TensorScope.Open("test");
        var weight = Random([4, 4], 1);
        weight.RequiresGrad = true;
        Assert.Throws<TorchException>(() => Random([2, 4], 2).LoraLinears([weight], [], [Random([4, 4], 3)], [Random([4, 4], 4)], 1));
        Assert.Throws<TorchException>(() => Random([2, 4], 2).LoraLinears([Random([4, 5], 1)], [], [Random([4, 4], 3)], [Random([4, 4], 4)], 1));
    }

    [Theory]
    [InlineData(DType.F32, 1e-6)]
    [InlineData(DType.BF16, 1e-2)]
    internal void Cross_entropy_in_place_equals_autograd(DType dtype, double tolerance)
    {
        using var scope = TensorScope.Open("test");
        var logits = Random([5, 301], 7).Mul(4).To(dtype);
        var targets = CreateOps.On(TestDevice.Device, [0L, 300L, 17L, 5L, 5L]);
        var weights = CreateOps.On(TestDevice.Device, [0.1f, 0.5f, 0f, 1f, 2f]);
        var leaf = logits.To(DType.F32).Clone().Detach();
        leaf.RequiresGrad = true;
        var expected = leaf.CrossEntropy(targets);
        Autograd.Backward(expected.Mul(weights).Sum());
        var losses = logits.CrossEntropyInPlace(targets, weights);
        Near(expected.Detach().ToArray<float>(), losses.ToArray<float>(), dtype == DType.F32 ? 1e-5 : 1e-5);
        Near(leaf.Grad()!.ToArray<float>(), logits.To(DType.F32).ToArray<float>(), tolerance);
    }

    [Fact]
    public void Cross_entropy_in_place_refuses_a_target_outside_the_vocabulary()
    {
        using var scope = TensorScope.Open("test");
        Tensor Losses() =>
            Random([1, 8], 1).CrossEntropyInPlace(CreateOps.On(TestDevice.Device, [8L]), CreateOps.On(TestDevice.Device, [1f]));
        if (!TestDevice.IsCpu)
        {
            // A GPU cannot stop in the middle: the loss is no number, and that stops the run.
            Assert.True(double.IsNaN(Losses().Item()));
            return;
        }

        var e = Assert.Throws<TorchException>(Losses);
        Assert.Contains("target 8", e.Message);
    }

    [Theory]
    [InlineData(DType.F32, true, 1e-5)]
    [InlineData(DType.F32, false, 1e-5)]
    [InlineData(DType.BF16, true, 3e-2)]
    internal void Packed_attention_equals_masked_softmax_attention(DType dtype, bool causal, double tolerance)
    {
        using var scope = TensorScope.Open("test");
        // Two segments of one length (one batched product), one that is longer than a block of queries, an empty one, a single token.
        long[] boundaries = [0, 9, 18, 18, 160, 161];
        var allowed = new bool[161 * 161];
        for (var s = 1; s < boundaries.Length; s++)
        {
            for (var row = boundaries[s - 1]; row < boundaries[s]; row++)
            {
                for (var column = boundaries[s - 1]; column < boundaries[s]; column++)
                {
                    allowed[(row * 161) + column] = !causal || column <= row;
                }
            }
        }

        var hidden = CreateOps.On(TestDevice.Device, Array.ConvertAll(allowed, a => !a), 161, 161);
        var offsets = CreateOps.On(TestDevice.Device, Array.ConvertAll(boundaries, b => (int)b));
        Compare(
            dtype,
            tolerance,
            [[161, 6, 8], [161, 2, 8], [161, 2, 8]],
            x => NetOps.PackedAttention(x[0], x[1], x[2], boundaries, causal, 0.3, offsets),
            x =>
            {
                Tensor Heads(Tensor t) => t.Transpose(0, 1).Unsqueeze(1).Expand(t.Size(1), 6 / t.Size(1), 161, 8).Reshape(6, 161, 8);
                var scores = Heads(x[0]).MatMul(Heads(x[1]).Transpose()).Mul(0.3).MaskedFill(hidden, double.NegativeInfinity);
                return scores.Softmax(-1).MatMul(Heads(x[2])).Transpose(0, 1);
            });
    }

    // Blocks of every kind: segments longer than a block of queries and than a block of keys of either pass, odd lengths, head sizes that end in half a panel
    // or within one, queries that share keys, and numbers that lie in a larger tensor.
    [Theory]
    [InlineData(1, DType.F32, 1e-5)]
    [InlineData(2, DType.F32, 1e-5)]
    [InlineData(1, DType.BF16, 3e-2)]
    [InlineData(2, DType.BF16, 3e-2)]
    [InlineData(3, DType.BF16, 3e-2)]
    internal void Attention_in_blocks_of_any_processor_equals_separate_products(int tiles, DType dtype, double tolerance)
    {
        TestFiles.Require(TestDevice.IsCpu, "cards have kernels of their own");
        using var scope = TensorScope.Open("test");
        long[] several = [0, 577, 578, 578, 720, 831], one = [0, 300]; // where one is too few for all threads, query heads are worked on apart
        foreach (var (causal, heads, groups, size, boundaries) in new[] { (true, 6, 2, 36, several), (false, 2, 2, 72, several), (true, 3, 1, 64, one) })
        {
            var tokens = boundaries[^1];
            var values = new[] { Random([tokens, heads, size], 1), Random([tokens, groups, 2 * size], 2), Random([tokens, groups, size + 1], 3) }
                .Select(v => v.To(dtype)).ToArray();
            var gradient = (Tensor?)null;
            Tensor[] Parts(Tensor[] x) => [x[0], x[1].Slice(2, size, 2 * size), x[2].Slice(2, 1, size + 1)];
            var (y, grads) = Run(x => ByTiles.Call(Parts(x)[0], Parts(x)[1], Parts(x)[2], boundaries, causal, 0.3, tiles), values, ref gradient);
            Tensor[] wide = [.. values.Select(v => v.To(DType.F32).Clone())];
            var (z, plain) = Run(x => BySegments.Call(Parts(x)[0], Parts(x)[1], Parts(x)[2], boundaries, causal, 0.3), wide, ref gradient);
            Near(z, y, tolerance * Scale(z));
            for (var i = 0; i < grads.Length; i++)
            {
                Near(plain[i], grads[i], tolerance * Scale(plain[i]));
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Attention_in_separate_products_equals_packed_attention(bool causal)
    {
        using var scope = TensorScope.Open("test");
        long[] boundaries = [0, 9, 18, 18, 60, 61];
        var offsets = CreateOps.On(TestDevice.Device, Array.ConvertAll(boundaries, b => (int)b));
        var values = new[] { Random([61, 6, 8], 1), Random([61, 2, 8], 2), Random([61, 2, 8], 3) };
        var gradient = (Tensor?)null;
        var (packed, packedGradients) = Run(x => NetOps.PackedAttention(x[0], x[1], x[2], boundaries, causal, 0.3, offsets), values, ref gradient);
        var (separate, gradients) = Run(x => BySegments.Call(x[0], x[1], x[2], boundaries, causal, 0.3), values, ref gradient);
        Near(packed, separate, 1e-5);
        for (var i = 0; i < gradients.Length; i++)
        {
            Near(packedGradients[i], gradients[i], 2e-5);
        }
    }

    private static Tensor Random(long[] shape, ulong seed)
    {
        Torch.Seed(seed);
        return CreateOps.Empty(shape).Normal_(0, 1).To(TestDevice.Device);
    }

    private static void Compare(DType dtype, double tolerance, long[][] shapes, Func<Tensor[], Tensor> fused, Func<Tensor[], Tensor> formula)
    {
        using var scope = TensorScope.Open("test");
        var values = shapes.Select((shape, i) => Random(shape, (ulong)i + 10).To(dtype)).ToArray();
        var gradient = (Tensor?)null;
        var (y, grads) = Run(fused, values, ref gradient);
        var (z, plain) = Run(formula, [.. values.Select(v => v.To(DType.F32).Clone())], ref gradient);
        Near(z, y, tolerance * Scale(z));
        for (var i = 0; i < grads.Length; i++)
        {
            Near(plain[i], grads[i], tolerance * Scale(plain[i]));
        }
    }

    private static (float[] Y, float[][] Gradients) Run(Func<Tensor[], Tensor> f, Tensor[] values, ref Tensor? gradient)
    {
        var leaves = values.Select(v => v.Detach().Clone()).ToArray();
        foreach (var leaf in leaves)
        {
            leaf.RequiresGrad = true;
        }

        var y = f(leaves);
        gradient ??= Random(y.Shape, 99);
        Autograd.Backward(y, gradient.To(y.DType));
        return (y.Detach().To(DType.F32).ToArray<float>(), [.. leaves.Select(l => l.Grad()!.To(DType.F32).ToArray<float>())]);
    }

    private static float Scale(float[] x) => Math.Max(1, x.Max(Math.Abs));

    private static void Near(float[] expected, float[] actual, double given)
    {
        var tolerance = TestDevice.Tolerance(given);
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance, $"element {i}: expected {expected[i]:R}, got {actual[i]:R}");
        }
    }
}
