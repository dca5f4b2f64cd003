namespace Fovea.Tests.Unit.Tensors;

/// <summary>Every kernel for products of matrices against the sum in double, and what tiles of our own promise about bits.</summary>
public sealed class ProductKernelTests : NativeTest
{
    private static readonly Operator ProductBy = new("fovea::product_by");

    // Rows, inner, columns: single numbers, edges of tiles and of what is packed at a time, several blocks, widened pieces of more than one.
    private static readonly (int Rows, int Inner, int Columns)[] Shapes =
        [(1, 1, 1), (3, 5, 7), (14, 256, 32), (15, 257, 33), (31, 64, 16), (200, 515, 90), (460, 70, 530), (9, 9000, 20)];

    public static IEnumerable<TheoryDataRow> Kernels =>
        from known in ProductChoice.Types
        from kernel in Enum.GetValues<ProductKernel>()
        where kernel != ProductKernel.Library && ProductKernels.Fit(known.Type, kernel)
        select new TheoryDataRow(known.Type, kernel);

    [Theory]
    [MemberData(nameof(Kernels))]
    internal void Products_are_sums_in_fp32_rounded_once_however_the_factors_lie(DType type, ProductKernel kernel)
    {
        using var scope = TensorScope.Open("test");
        foreach (var (rows, inner, columns) in Shapes)
        {
            foreach (var turned in new[] { 0, 1, 2, 3 })
            {
                var a = Random(2, type, rows, inner, (turned & 1) != 0);
                var b = Random(3, type, inner, columns, (turned & 2) != 0);
                var sum = Random(1, type, 1, columns, false).View(columns);
                var exact = Exact(a, b);
                AreNear(exact, ProductBy.Call(sum, a, b, 0.0, 1.0, (int)kernel), inner);
                var added = sum.To(DType.F32).ToArray<float>();
                var scaled = exact.Select((value, i) => (2 * value) + (0.5 * added[i % columns])).ToArray();
                AreNear(scaled, ProductBy.Call(sum, a, b, 0.5, 2.0, (int)kernel), inner);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    internal void A_batch_of_products_is_each_of_them(DType type, ProductKernel kernel)
    {
        using var scope = TensorScope.Open("test");
        var x = Random(4, type, 4 * 33, 40, false).View(4, 33, 40);
        var y = Random(5, type, 4 * 21, 40, false).View(4, 21, 40).Transpose();
        var sum = Random(6, type, 4 * 33, 21, false).View(4, 33, 21);
        var all = ProductBy.Call(sum, x, y, 1.0, 1.0, (int)kernel);
        for (var i = 0; i < 4; i++)
        {
            var one = ProductBy.Call(sum.Select(0, i), x.Select(0, i), y.Select(0, i), 1.0, 1.0, (int)kernel);
            Near(one.To(DType.F32).ToArray<float>(), all.Select(0, i).To(DType.F32).ToArray<float>(), Rounding(type));
        }
    }

    [Theory]
    [InlineData(DType.F32, ProductKernel.Tiles)]
    [InlineData(DType.BF16, ProductKernel.Tiles)]
    internal void The_bits_of_a_row_depend_on_no_other_row_no_number_of_columns_no_thread_and_no_processor(DType type, ProductKernel kernel)
    {
        using var scope = TensorScope.Open("test");
        var (a, b, sum) = (Random(7, type, 900, 700, false), Random(8, type, 1100, 700, false).Transpose(), CreateOps.Zeros([1], type));
        Tensor Product(Tensor x, Tensor y, bool narrow = false) => ProductBy.Call(sum, x, y, 0.0, 1.0, (int)kernel, narrow);
        var whole = Product(a, b);
        foreach (var (row, count) in new[] { (0, 1), (13, 2), (450, 17), (100, 460) })
        {
            Assert.Equal(Bits(whole.Slice(0, row, row + count)), Bits(Product(a.Slice(0, row, row + count), b)));
        }

        Assert.Equal(Bits(whole.Slice(1, 500, 537)), Bits(Product(a, b.Slice(1, 500, 537))));
        Assert.Equal(Bits(whole), Bits(Product(a.Transpose().Contiguous().Transpose(), b.Contiguous())));
        Assert.Equal(Bits(whole), Bits(Product(a, b, narrow: true)));
        foreach (var threads in new[] { 2, 3 })
        {
            Torch.Threads = threads;
            Assert.Equal(Bits(whole), Bits(Product(a, b)));
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    internal void A_chosen_kernel_serves_every_product_of_libtorch(DType type, ProductKernel kernel)
    {
        using var scope = TensorScope.Open("test");
        var before = ProductChoice.InUse();
        try
        {
            before.With(type, kernel).Use();
            Assert.Equal(kernel, ProductChoice.InUse().Of(type));
            var (a, b, bias) = (Random(9, type, 40, 130, false), Random(10, type, 50, 130, false), Random(11, type, 1, 50, false).View(50));
            var nothing = CreateOps.Zeros([1], type);
            var plain = ProductBy.Call(nothing, a, b.Transpose(), 0.0, 1.0, (int)kernel);
            Assert.Equal(Bits(plain), Bits(a.MatMul(b.Transpose())));
            Assert.Equal(Bits(plain), Bits(a.Linear(b)));
            Assert.Equal(Bits(ProductBy.Call(bias, a, b.Transpose(), 1.0, 1.0, (int)kernel)), Bits(a.Linear(b, bias)));
            Assert.Equal(Bits(plain), Bits(a.View(1, 40, 130).MatMul(b.Transpose().View(1, 130, 50)).View(40, 50)));
        }
        finally
        {
            before.Use();
        }
    }

    [Fact]
    public void Shapes_that_do_not_fit_and_kernels_that_do_not_exist_are_refused()
    {
        using var scope = TensorScope.Open("test");
        Tensor Zeros(params long[] shape) => CreateOps.Zeros(shape, DType.BF16);
        foreach (var kernel in new[] { ProductKernel.Widened, ProductKernel.Tiles })
        {
            Assert.Contains(
                "cannot be multiplied",
                Assert.Throws<TorchException>(() => ProductBy.Call(Zeros(2), Zeros(3, 4), Zeros(5, 2), 1.0, 1.0, (int)kernel)).Message);
            Assert.Throws<TorchException>(() => ProductBy.Call(Zeros(3), Zeros(3, 4), Zeros(4, 2), 1.0, 1.0, (int)kernel)); // the sum
            Assert.Equal([3L, 0], ProductBy.Call(Zeros(1, 1), Zeros(3, 4), Zeros(4, 0), 0.0, 1.0, (int)kernel).Shape);
        }

        Assert.Equal([0f, 0], ProductBy.Call(Zeros(2), Zeros(1, 0), Zeros(0, 2), 0.0, 1.0, (int)ProductKernel.Tiles).To(DType.F32).ToArray<float>());
        Assert.False(ProductKernels.Fit(DType.F32, ProductKernel.Widened));
        Assert.Contains("no kernel", Assert.Throws<TorchException>(() => (ProductChoice.Rule with { Fp16 = ProductKernel.Tiles }).Use()).Message);
        Assert.Equal(ProductChoice.Rule.Fp16, ProductKernels.Of(DType.F16));
    }

    private static Tensor Random(ulong seed, DType type, long rows, long columns, bool turned)
    {
        Torch.Seed(seed);
        var drawn = CreateOps.Empty(turned ? [columns, rows] : [rows, columns]).Normal_(0, 0.3).To(type);
        return turned ? drawn.Transpose() : drawn;
    }

    private static double[] Exact(Tensor a, Tensor b) => a.To(DType.F64).MatMul(b.To(DType.F64)).Contiguous().ToArray<double>();

    private static int[] Bits(Tensor x) => x.To(DType.F32).Contiguous().Bits(DType.I32).ToArray<int>();

    private static double Rounding(DType type) => type switch { DType.BF16 => 4e-3, DType.F16 => 5e-4, _ => 1e-7 };

    private static void AreNear(double[] exact, Tensor found, int inner)
    {
        // One rounding of the type, and the roundings of a sum in fp32 of `inner` terms.
        var allowed = 2e-7 * Math.Sqrt(inner) * exact.Max(Math.Abs);
        var rounding = Rounding(found.DType);
        var values = found.To(DType.F32).ToArray<float>();
        Assert.Equal(exact.Length, values.Length);
        for (var i = 0; i < exact.Length; i++)
        {
            Assert.True(Math.Abs(exact[i] - values[i]) <= allowed + 1e-6 + (rounding * Math.Abs(exact[i])), $"{i}: {exact[i]:R} but {values[i]:R}");
        }
    }

    private static void Near(float[] expected, float[] found, double rounding)
    {
        Assert.Equal(expected.Length, found.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - found[i]) <= 1e-6 + (2 * rounding * Math.Abs(expected[i])), $"{i}: {expected[i]:R} but {found[i]:R}");
        }
    }
}
