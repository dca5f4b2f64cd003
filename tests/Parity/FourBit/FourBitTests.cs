using System.Text.Json;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Nn.FourBit;

namespace Fovea.Tests.Parity.FourBit;

/// <summary>Weights in 4 bits against bitsandbytes' own (tests/goldens/nf4/generate.py): every byte, scale and unpacked number.</summary>
public sealed class FourBitTests : NativeTest
{
    private static readonly JsonElement Described = Golden.Json(TestFiles.Golden("nf4/tensors.json"));
    private readonly Checkpoint file = Checkpoint.Open(TestFiles.Golden("nf4/tensors.safetensors"));

    public static TheoryData<string> Cases => [.. Described.EnumerateObject().Select(entry => entry.Name)];

    [Fact]
    public void The_codes_and_the_values_of_scales_are_those_of_its_files()
    {
        using var scope = TensorScope.Open("test");
        using var nf4 = new FourBitFormat(new FourBitOptions(FourBitType.Nf4, DoubleQuantization: true), Device.Cpu);
        using var fp4 = new FourBitFormat(new FourBitOptions(FourBitType.Fp4, DoubleQuantization: false), Device.Cpu);
        Assert.Equal(Floats("nf4_code"), nf4.Code.ToArray<float>());
        Assert.Equal(Floats("fp4_code"), fp4.Code.ToArray<float>());
        Assert.Equal(Floats("dynamic_map_256"), nf4.Map!.ToArray<float>());
        Assert.Null(fp4.Map);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Bytes_scales_and_unpacked_numbers_are_equal(string name)
    {
        using var scope = TensorScope.Open("test");
        var about = Described.GetProperty(name);
        var (block, isFp4) = (about.GetProperty("blocksize").GetInt32(), about.GetProperty("quant_type").GetString() == "fp4");
        using var format = new FourBitFormat(new FourBitOptions(isFp4 ? FourBitType.Fp4 : FourBitType.Nf4, DoubleQuantization: true), Device.Cpu);
        if (name.Contains("many_blocks", StringComparison.Ordinal))
        {
            Scales(Read($"{name}.single.absmax")); // the largest case, which has two blocks of scales; nothing else of it was kept
            return;
        }

        var given = Read($"{name}.input");
        var count = given.Count;

        var (bytes, scales) = given.FourBitPack(format.Code, block);
        Assert.Equal(Read($"{name}.single.packed").ToArray<byte>(), bytes.ToArray<byte>());
        Assert.Equal(Floats($"{name}.single.absmax"), scales.ToArray<float>());
        Same($"{name}.single.dequantized", bytes.FourBitUnpack(scales, null, null, 0, format.Code, 1, count, block, given.DType));

        var (small, nested, mean) = Scales(scales);
        Same($"{name}.double.dequantized@7", bytes.FourBitUnpack(small, nested, format.Map, mean, format.Code, 1, count, block, given.DType));

        (Tensor Small, Tensor Nested, double Mean) Scales(Tensor of)
        {
            var mean = of.Mean(0);
            Assert.Equal(about.GetProperty("nested_offset").GetDouble(), mean.Item());
            var (small, nested) = of.FourBitPackScales(format.Map!, mean);
            Assert.Equal(Read($"{name}.double.absmax").ToArray<byte>(), small.ToArray<byte>());
            Assert.Equal(Floats($"{name}.double.nested_absmax"), nested.ToArray<float>());
            return (small, nested, mean.Item());
        }

        void Same(string expected, Tensor actual)
        {
            // bitsandbytes' CPU code multiplies by FP4 codes that it rounds to four decimals.
            var (whole, ours) = (Floats(expected), actual.To(DType.F32).ToArray<float>());
            ours = expected.EndsWith("@7", StringComparison.Ordinal) ? [.. ours.Where((_, i) => i % 7 == 0)] : ours;
            if (isFp4)
            {
                Golden.Near(expected, whole, ours, 1e-4);
                return;
            }

            Assert.Equal(whole, ours);
        }
    }

    protected override void Cleanup() => file.Dispose();

    private float[] Floats(string name)
    {
        using var scope = TensorScope.Open("floats");
        return Read(name).To(DType.F32).ToArray<float>();
    }

    private Tensor Read(string name) => new CheckpointSource(file).Read(name, file[name].Shape);
}
