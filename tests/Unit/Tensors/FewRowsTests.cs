namespace Fovea.Tests.Unit.Tensors;

/// <summary>The linear layer of a few rows, as generation needs it, against the same sum in double precision.</summary>
public sealed class FewRowsTests : NativeTest
{
    // One rounding to bf16 is at most 2^-8 of the value; sums of many terms in fp32 stay within 1e-5 of the largest result.
    private const double Bf16 = 1.0 / 256;
    private const double Fp32 = 1e-5;

    private static readonly (int In, int Out)[] Sizes = [(1, 1), (7, 3), (32, 4), (33, 5), (96, 64), (1023, 130), (2816, 70)];

    [Theory]
    [InlineData(DType.F32, 0)]
    [InlineData(DType.BF16, Bf16)]
    internal void One_to_nine_rows_equal_the_product_in_double_precision(DType dtype, double rounding)
    {
        using var grad = Autograd.NoGrad();
        foreach (var (inputs, outputs) in Sizes)
        {
            using var scope = TensorScope.Open("test");
            var weight = Random([outputs, inputs], 1).To(dtype);
            var bias = Random([outputs], 2).To(dtype);
            for (var rows = 1; rows <= 9; rows++)
            {
                var x = Random([rows, inputs], 3).To(dtype);
                Near(x.To(DType.F64).Linear(weight.To(DType.F64), bias.To(DType.F64)), x.Linear(weight, bias), rounding);
                Near(x.To(DType.F64).Linear(weight.To(DType.F64)), x.Linear(weight), rounding);
            }
        }
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    internal void A_row_gives_the_same_bits_alone_and_among_others(DType dtype)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        var weight = Random([131, 333], 1).To(dtype);
        var x = Random([8, 333], 2).To(dtype);
        var together = x.Linear(weight).To(DType.F32).ToArray<float>();
        for (var row = 0; row < 8; row++)
        {
            Assert.Equal(together[(row * 131)..((row + 1) * 131)], x.Slice(0, row, row + 1).Linear(weight).To(DType.F32).ToArray<float>());
        }
    }

    [Theory]
    [InlineData(DType.F32, 0)]
    [InlineData(DType.BF16, Bf16)]
    internal void Views_of_larger_or_transposed_tensors_equal_the_product_too(DType dtype, double rounding)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        var wide = Random([40, 200], 1).To(dtype);
        var x = Random([3, 200], 2).To(dtype);
        var transposed = Random([100, 40], 3).To(dtype).Transpose();
        var (part, weightPart) = (x.Slice(1, 50, 150), wide.Slice(1, 50, 150));
        Near(part.To(DType.F64).Linear(weightPart.To(DType.F64)), part.Linear(weightPart), rounding);
        Near(part.To(DType.F64).Linear(transposed.To(DType.F64)), part.Linear(transposed), rounding);
        var upright = Random([100, 3], 4).To(dtype).Transpose();
        Near(upright.To(DType.F64).Linear(weightPart.To(DType.F64)), upright.Linear(weightPart), rounding);
        var shaped = part.Reshape(1, 3, 100);
        Assert.Equal([1L, 3L, 40L], shaped.Linear(weightPart).Shape);
        Near(shaped.To(DType.F64).Linear(weightPart.To(DType.F64)), shaped.Linear(weightPart), rounding);
    }

    [Theory]
    [InlineData(DType.F32, 0)]
    [InlineData(DType.BF16, Bf16)]
    internal void An_adapter_is_added_before_the_one_rounding(DType dtype, double rounding)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        var weight = Random([70, 90], 1).To(dtype);
        var bias = Random([70], 2).To(dtype);
        var a = Random([6, 90], 3).To(dtype);
        var b = Random([70, 6], 4).To(dtype);
        foreach (var rows in new[] { 1, 2, 5, 8 })
        {
            var x = Random([rows, 90], 5).To(dtype);
            var wide = x.To(DType.F64);
            var expected = wide.Linear(weight.To(DType.F64), bias.To(DType.F64))
                .Add(wide.Linear(a.To(DType.F64)).Linear(b.To(DType.F64)).Mul(0.25));
            Near(expected, x.LoraLinears([weight], [bias], [a], [b], 0.25)[0], rounding);
        }
    }

    [Fact]
    public void With_gradients_asked_for_a_single_row_still_has_them()
    {
        using var scope = TensorScope.Open("test");
        var x = Random([1, 48], 1);
        var weight = Random([5, 48], 2);
        x.RequiresGrad = true;
        Autograd.Backward(x.Linear(weight).Sum());
        Near(weight.To(DType.F64).Sum(0), x.Grad()!, 0);
    }

    private static Tensor Random(long[] shape, ulong seed)
    {
        Torch.Seed(seed);
        return CreateOps.Empty(shape).Normal_(0, 1);
    }

    private static void Near(Tensor expected, Tensor actual, double rounding)
    {
        var (wide, given) = (expected.ToArray<double>(), actual.To(DType.F64).ToArray<double>());
        Assert.Equal(wide.Length, given.Length);
        var scale = Math.Max(1, wide.Max(Math.Abs));
        for (var i = 0; i < wide.Length; i++)
        {
            var allowed = (Fp32 * scale) + (rounding * Math.Abs(wide[i]));
            Assert.True(Math.Abs(wide[i] - given[i]) <= allowed, $"{actual.Describe()}, element {i}: expected {wide[i]:R}, got {given[i]:R}");
        }
    }
}
