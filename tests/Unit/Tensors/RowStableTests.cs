namespace Fovea.Tests.Unit.Tensors;

/// <summary>A row has the same bits alone, among few and among many, whatever kernel serves it; and they are those of the formula, rounded once.</summary>
public sealed class RowStableTests : NativeTest
{
    // One rounding to bf16 is at most 2^-8 of the value, to fp16 2^-11; sums of many terms in fp32 stay within 1e-5 of the largest result.
    private const double Fp32 = 1e-5;

    private static readonly Operator ByKind = new("fovea::stable_product_by");

    private static readonly (int In, int Out)[] Sizes = [(1, 1), (7, 3), (33, 5), (96, 64), (193, 47), (1023, 130), (2816, 70)];

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    internal void Few_rows_and_many_give_the_same_bits_in_the_tiles_of_any_processor(DType dtype)
    {
        using var grad = Autograd.NoGrad();
        foreach (var (inputs, outputs) in Sizes)
        {
            for (var tiles = 1; tiles <= 3; tiles++)
            {
                using var scope = TensorScope.Open("test");
                var (weight, bias, up) = (Random(1, dtype, outputs, inputs), Random(2, dtype, outputs), Random(3, dtype, outputs, 6));
                var (x, low) = (Random(4, dtype, 48, inputs), Random(5, dtype, 48, 6));
                Tensor Product(int from, int to, bool few) =>
                    ByKind.Call(x.Slice(0, from, to), weight.Transpose(), low.Slice(0, from, to), up.Transpose(), bias, tiles, few);

                var expected = Numbers(Product(0, 48, few: false));
                foreach (var rows in Enumerable.Range(1, 19).Concat([28, 31, 33, 40, 48]))
                {
                    Assert.Equal(expected[..(rows * outputs)], Numbers(Product(0, rows, few: true)));
                    Assert.Equal(expected[..(rows * outputs)], Numbers(Product(0, rows, few: false)));
                    Assert.Equal(expected[((rows - 1) * outputs)..(rows * outputs)], Numbers(Product(rows - 1, rows, few: true)));
                }

                var wide = x.To(DType.F64).Linear(weight.To(DType.F64), bias.To(DType.F64)).Add(low.To(DType.F64).Linear(up.To(DType.F64)));
                Near(wide.ToArray<double>(), expected, dtype);
            }
        }
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    internal void Every_product_of_a_pass_gives_a_row_its_own_bits(DType dtype)
    {
        using var grad = Autograd.NoGrad();
        using var stable = RowStable.Open();
        using var scope = TensorScope.Open("test");
        const int inputs = 129, outputs = 83, rows = 70, rank = 5;
        var (weight, other, bias) = (Random(1, dtype, outputs, inputs), Random(2, dtype, outputs, inputs), Random(3, dtype, outputs));
        Tensor[] a = [Random(4, DType.F32, rank, inputs), Random(5, DType.F32, rank, inputs)];
        Tensor[] b = [Random(6, DType.F32, outputs, rank), Random(7, DType.F32, outputs, rank)];
        var x = Random(8, dtype, rows, inputs);
        var ways = new Dictionary<string, Func<Tensor, Tensor>>
        {
            ["linear"] = part => part.Linear(weight, bias),
            ["matmul"] = part => part.MatMul(weight.Transpose()),
            ["matmul of rows"] = part => part.MatMul(weight.Transpose().Contiguous()),
            ["shaped"] = part => part.Reshape(1, part.Size(0), inputs).Linear(weight, bias).Reshape(part.Size(0), outputs),
            ["adapter"] = part => part.LoraLinears([weight, other], [bias, bias], a, b, 0.3)[1],
            ["expert"] = part => part.GroupedLinear([weight, other], [0, 0, part.Size(0)]),
            ["outside"] = part => part.Linear(a[0].To(dtype)).Linear(b[0].To(dtype)).Mul(0.3),
            ["sigmoid"] = part => part.Sigmoid(),
            ["softplus"] = part => part.To(DType.F32).Mul(20).Softplus(),
            ["gelu"] = part => part.Gelu(),
            ["gelu in tanh form"] = part => part.Gelu(tanh: true),
            ["gate"] = part => NetOps.SiluMul(part, part),
            ["output gate"] = part => NetOps.SigmoidMul(part, part.Reshape(part.Size(0), 1, inputs)),
            ["norm"] = part => part.RmsNorm(Random(9, dtype, inputs), 1e-6),
            ["layer norm"] = part => part.LayerNorm(Random(9, dtype, inputs), Random(10, dtype, inputs), 1e-6),
        };
        foreach (var (name, way) in ways)
        {
            var whole = Numbers(way(x));
            var width = whole.Length / rows;
            foreach (var count in new[] { 1, 2, 9, 33, 64 })
            {
                for (var start = 0; start + count <= rows; start += count + 4)
                {
                    Assert.True(
                        whole.AsSpan(start * width, count * width).SequenceEqual(Numbers(way(x.Slice(0, start, start + count)))),
                        $"{name}: rows {start} to {start + count}");
                }
            }
        }
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    internal void Products_are_those_of_the_formula_too(DType dtype)
    {
        using var grad = Autograd.NoGrad();
        using var stable = RowStable.Open();
        using var scope = TensorScope.Open("test");
        var (weight, bias) = (Random(1, dtype, 70, 130), Random(2, dtype, 70));
        var (a, b) = (Random(3, dtype, 6, 130), Random(4, dtype, 70, 6));
        foreach (var rows in new[] { 1, 5, 60 })
        {
            var x = Random(5, dtype, rows, 130);
            var wide = x.To(DType.F64);
            var plain = wide.Linear(weight.To(DType.F64), bias.To(DType.F64));
            Near(plain.ToArray<double>(), Numbers(x.Linear(weight, bias)), dtype);

            // What lies between the two products of an adapter is rounded to the element type, as in training.
            var low = wide.Linear(a.To(DType.F64)).Mul(0.25).To(dtype).To(DType.F64);
            Near(plain.Add(low.Linear(b.To(DType.F64))).ToArray<double>(), Numbers(x.LoraLinears([weight], [bias], [a], [b], 0.25)[0]), dtype, steps: 2);
            Near(wide.Linear(weight.To(DType.F64)).ToArray<double>(), Numbers(x.GroupedLinear([weight], [0, rows])), dtype);
        }
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    internal void Runs_of_rows_with_adapters_of_their_own_are_what_each_adapter_makes_of_them(DType dtype)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        var (weight, bias) = (Random(1, dtype, 70, 130), Random(2, dtype, 70));
        Tensor[] a = [Random(3, dtype, 5, 130), Random(4, dtype, 16, 130)], b = [Random(5, dtype, 70, 5), Random(6, dtype, 70, 16)];
        double[] scales = [0.25, 2];
        long[] starts = [0, 3, 3, 40, 52, 60], adapters = [1, 0, -1, 0, 1];
        var x = Random(7, dtype, 60, 130);
        Tensor Own(int run)
        {
            var rows = x.Slice(0, starts[run], starts[run + 1]);
            return adapters[run] is >= 0 and var which
                ? rows.LoraLinears([weight], [bias], [a[which]], [b[which]], scales[which])[0]
                : rows.Linear(weight, bias);
        }

        using (RowStable.Open())
        {
            var expected = ShapeOps.Cat([.. Enumerable.Range(0, 5).Where(run => starts[run] < starts[run + 1]).Select(Own)]);
            Assert.Equal(Numbers(expected), Numbers(x.LoraRuns(weight, bias, a, b, scales, starts, adapters)));
        }

        // The way of other devices, by the formula.
        var wide = x.To(DType.F64);
        var sums = ShapeOps.Cat([.. Enumerable.Range(0, 5).Where(run => starts[run] < starts[run + 1]).Select(run =>
        {
            var rows = wide.Slice(0, starts[run], starts[run + 1]);
            var y = rows.Linear(weight.To(DType.F64), bias.To(DType.F64));
            return adapters[run] is >= 0 and var which
                ? y.To(dtype).To(DType.F64).Add(rows.Linear(a[which].To(DType.F64)).To(dtype).To(DType.F64).Linear(b[which].To(DType.F64)).Mul(scales[which]))
                : y;
        })]);
        Near(sums.ToArray<double>(), Numbers(x.LoraRuns(weight, bias, a, b, scales, starts, adapters)), dtype, steps: 3);
        Assert.Throws<TorchException>(() => x.LoraRuns(weight, bias, a, b, scales, [0, 3, 59], [0, 1]));
        Assert.Throws<TorchException>(() => x.LoraRuns(weight, bias, a, b, scales, [0, 60], [2]));
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    internal void Attention_to_other_tokens_does_not_depend_on_the_rest_of_a_batch(DType dtype)
    {
        using var grad = Autograd.NoGrad();
        using var stable = RowStable.Open();
        using var scope = TensorScope.Open("test");
        var q = Random(1, dtype, 1, 4, 64, 32).Expand(3, 4, 64, 32);
        var (k, v) = (Random(2, dtype, 3, 4, 77, 32), Random(3, dtype, 3, 4, 77, 32));
        Tensor Attend(int from, int to) =>
            NetOps.ScaledDotProductAttention(q.Slice(0, from, to), k.Slice(0, from, to), v.Slice(0, from, to), causal: false, 0.2);

        var whole = Numbers(Attend(0, 3));
        var length = whole.Length / 3;
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(whole[(i * length)..((i + 1) * length)], Numbers(Attend(i, i + 1)));
        }
    }

    [Fact]
    public void It_is_of_a_thread_and_ends_with_its_scope()
    {
        Assert.False(RowStable.IsOpen);
        using (RowStable.Open())
        {
            using (RowStable.Open())
            {
                Assert.True(RowStable.IsOpen);
            }

            Assert.True(RowStable.IsOpen);
            var elsewhere = true;
            var thread = new Thread(() => elsewhere = RowStable.IsOpen);
            thread.Start();
            thread.Join();
            Assert.False(elsewhere);
        }

        Assert.False(RowStable.IsOpen);
    }

    [Fact]
    public void Gradients_flow_while_it_is_open()
    {
        using var stable = RowStable.Open();
        using var scope = TensorScope.Open("test");
        var (x, weight) = (Random(1, DType.F32, 20, 48), Random(2, DType.F32, 5, 48));
        x.RequiresGrad = true;
        Autograd.Backward(x.Linear(weight).Sum());
        Near(weight.To(DType.F64).Sum(0).Unsqueeze(0).Expand(20, 48).Contiguous().ToArray<double>(), Numbers(x.Grad()!), DType.F32);
    }

    private static Tensor Random(ulong seed, DType dtype, params long[] shape)
    {
        Torch.Seed(seed);
        return CreateOps.Empty(shape).Normal_(0, 1).To(dtype);
    }

    private static float[] Numbers(Tensor x) => x.To(DType.F32).ToArray<float>();

    private static void Near(double[] expected, float[] actual, DType dtype, int steps = 1)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = Math.Max(1, expected.Max(Math.Abs));
        var rounding = dtype switch { DType.BF16 => 1.0 / 256, DType.F16 => 1.0 / 2048, _ => 0 };
        for (var i = 0; i < expected.Length; i++)
        {
            var allowed = (Fp32 * scale) + (steps * rounding * Math.Abs(expected[i])) + (steps > 1 ? rounding * scale / 8 : 0);
            Assert.True(Math.Abs(expected[i] - actual[i]) <= allowed, $"{dtype}, element {i}: expected {expected[i]:R}, got {actual[i]:R}");
        }
    }
}
