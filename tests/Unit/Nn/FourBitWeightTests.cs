using Fovea.Nn;
using Fovea.Nn.FourBit;
using Fovea.Tests.Parity;

namespace Fovea.Tests.Unit.Nn;

/// <summary>A matrix in 4 bits multiplies as the matrix does that it unpacks to, and takes as little memory as it says.</summary>
public sealed class FourBitWeightTests : NativeTest
{
    [Theory]
    [InlineData(7, 64, 64, "f32")]
    [InlineData(3, 33, 65, "f32")] // blocks that begin within a row, an odd count
    [InlineData(1, 96, 80, "f32")]
    [InlineData(40, 1500, 1400, "f32")] // several pieces, forward and backward
    [InlineData(40, 2600, 1500, "bf16")]
    [InlineData(5, 48, 128, "f16")]
    public void The_product_and_its_gradients_are_those_of_the_unpacked_matrix(int rows, int outputs, int inputs, string typeName)
    {
        var type = typeName switch { "f32" => DType.F32, "bf16" => DType.BF16, _ => DType.F16 };
        using var scope = TensorScope.Open("test");
        Torch.Seed(3);
        using var format = new FourBitFormat(new FourBitOptions(FourBitType.Nf4, DoubleQuantization: true), Device.Cpu);
        var packed = FourBitWeight.Pack(CreateOps.Zeros([outputs, inputs]).Normal_(0, 0.02).To(type), format);
        var dense = packed.Unpack(type);
        var x = CreateOps.Zeros([rows, inputs]).Normal_(0, 1).To(type);
        var bias = CreateOps.Zeros([outputs]).Normal_(0, 1).To(type);
        var upstream = CreateOps.Zeros([rows, outputs]).Normal_(0, 1).To(type);

        var (y, dx, db) = Run(x, bias, packed.Times);
        var (expected, dxExpected, dbExpected) = Run(x, bias, (a, b) => a.Linear(dense, b));
        var tolerance = type == DType.F32 ? 1e-5 : 1e-2;
        Golden.NearRelative("y", expected, y, tolerance);
        Golden.NearRelative("dx", dxExpected, dx, tolerance);
        Golden.NearRelative("db", dbExpected, db, tolerance);
        foreach (var tensor in packed.Tensors)
        {
            tensor.Dispose();
        }

        (float[] Y, float[] Dx, float[] Db) Run(Tensor input, Tensor offset, Func<Tensor, Tensor, Tensor> product)
        {
            using var grad = Autograd.WithGrad();
            var (a, b) = (input.Detach().Clone(), offset.Detach().Clone());
            (a.RequiresGrad, b.RequiresGrad) = (true, true);
            var result = product(a, b);
            Autograd.Backward(result.Mul(upstream).To(DType.F32).Sum());
            return (result.Detach().To(DType.F32).ToArray<float>(), a.Grad()!.To(DType.F32).ToArray<float>(), b.Grad()!.To(DType.F32).ToArray<float>());
        }
    }

    [Theory]
    [InlineData(33, 65, "f32")]
    [InlineData(96, 128, "bf16")]
    [InlineData(48, 80, "f16")]
    public void What_is_computed_where_there_is_no_kernel_is_the_same(int outputs, int inputs, string typeName)
    {
        var type = typeName switch { "f32" => DType.F32, "bf16" => DType.BF16, _ => DType.F16 };
        using var scope = TensorScope.Open("test");
        Torch.Seed(4);
        using var format = new FourBitFormat(new FourBitOptions(FourBitType.Nf4, DoubleQuantization: false), Device.Cpu);
        var packed = FourBitWeight.Pack(CreateOps.Zeros([outputs, inputs]).Normal_(0, 0.02).To(type), format);
        var whole = packed.Unpack(type);
        var part = new Operator("fovea::four_bit_part").Call(
            packed.Bytes, packed.Scales, format.Code, outputs, inputs, format.Block, 3, outputs - 1, 8, inputs, type);
        Assert.Equal(
            whole.Slice(0, 3, outputs - 1).Slice(1, 8, inputs).To(DType.F32).ToArray<float>(), part.To(DType.F32).ToArray<float>());
        var x = CreateOps.Zeros([2, inputs]).Normal_(0, 1).To(type);
        var bias = CreateOps.Zeros([outputs]).Normal_(0, 1).To(type);
        var few = new Operator("fovea::four_bit_few_rows").Call(x, bias, packed.Bytes, packed.Scales, format.Code, outputs, inputs, format.Block);
        Golden.NearRelative("few rows", x.Linear(whole, bias).To(DType.F32).ToArray<float>(), few.To(DType.F32).ToArray<float>(), 1e-2);
        var norms = whole.To(DType.F32).RowNorms().ToArray<float>();
        Golden.NearRelative("norms", norms, packed.RowNorms(type).ToArray<float>(), 1e-6);
        foreach (var tensor in packed.Tensors)
        {
            tensor.Dispose();
        }
    }

    [Theory]
    [InlineData(true, 4.13)]
    [InlineData(false, 4.5)]
    public void It_takes_the_bits_that_it_says_and_its_shapes_alone_say_as_many(bool doubleQuantization, double bits)
    {
        using var scope = TensorScope.Open("test");
        var options = new FourBitOptions(FourBitType.Nf4, doubleQuantization);
        using var format = new FourBitFormat(options, Device.Cpu);
        using var shapes = new FourBitFormat(options, Device.Meta);
        var real = FourBitWeight.Pack(CreateOps.Zeros([1024, 1024]).Normal_(0, 1), format);
        Assert.InRange(real.ByteCount * 8.0 / (1024 * 1024), 4, bits);
        var meta = FourBitWeight.Pack(CreateOps.Empty([1024, 1024], device: Device.Meta), shapes);
        Assert.Equal(real.Tensors.Select(t => (t.Count, t.DType)), meta.Tensors.Select(t => (t.Count, t.DType)));
        foreach (var tensor in real.Tensors.Concat(meta.Tensors))
        {
            tensor.Dispose();
        }
    }

    [Fact]
    public void Row_norms_of_what_waits_to_be_placed_leave_its_codes_on_the_host()
    {
        using var scope = TensorScope.Open("test");
        Torch.Seed(5);
        using var format = new FourBitFormat(new FourBitOptions(FourBitType.Nf4, DoubleQuantization: true), TestDevice.Device);
        var dense = CreateOps.Zeros([48, 80]).Normal_(0, 0.02);
        var placed = new Parameter("placed", [48, 80], dense.Clone().Keep(), trainable: false, DType.F32) { Format = format };
        var waiting = new Parameter("waiting", [48, 80], dense.Clone().Keep(), trainable: false, DType.F32) { Format = format };
        placed.Pack();
        var norms = waiting.RowNorms();
        Assert.Equal(Device.Cpu, waiting.Value.Device);
        Assert.Equal(placed.RowNorms().ToArray<float>(), norms.ToArray<float>());
        waiting.Pack();
        Assert.Equal(placed.Value.Device, waiting.Value.Device);
        Assert.Equal(placed.Dense().ToArray<float>(), waiting.Dense().ToArray<float>());
        placed.Free();
        waiting.Free();
    }

    [Fact]
    public void What_is_left_to_be_folded_into_it_is_not_dropped()
    {
        using var scope = TensorScope.Open("test");
        using var format = new FourBitFormat(new FourBitOptions(FourBitType.Nf4, DoubleQuantization: true), Device.Cpu);
        var weight = new Parameter("w", [64, 64], CreateOps.Zeros([64, 64]).Keep(), trainable: false, DType.F32) { Format = format };
        weight.DeferMerge(value => value.Add(1));
        Assert.Contains("w is kept in 4 bits", Assert.Throws<InvalidOperationException>(weight.Pack).Message, StringComparison.Ordinal);
        weight.Free();
    }
}
