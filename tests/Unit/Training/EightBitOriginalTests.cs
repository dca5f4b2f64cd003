using Fovea.Tests.Parity;

namespace Fovea.Tests.Unit.Training;

/// <summary>AdamW in 8 bits beside bitsandbytes' own class, which bench/peer/interop/optimizer.py ran on the CPU.</summary>
public sealed class EightBitOriginalTests : NativeTest
{
    private const int Count = 600, Steps = 20;

    private static readonly Operator MapOp = new("fovea::eight_bit_map");

    /// <param name="codes">How many of the bytes of a moment may be others.</param>
    /// <param name="apart">How far a weight may be from bitsandbytes'; the steps are of 1e-2.</param>
    [Theory]
    [InlineData("nearest", 3, 1e-5)]
    [InlineData("library", 90, 5e-3)]
    internal void Twenty_steps_are_those_of_bitsandbytes(string kind, int codes, double apart)
    {
        using var scope = TensorScope.Open("test");
        using var golden = new Golden(TestFiles.Golden("optim/adamw_8bit.safetensors"));
        Same("map/signed", MapOp.Call(true));
        Same("map/unsigned", MapOp.Call(false));
        var weight = CreateOps.From([.. Enumerable.Range(0, Count).Select(i => ((i * 613 % 1021) - 510) / 4096f)]);
        var (means, squares) = (CreateOps.Zeros([Count], DType.U8), CreateOps.Zeros([Count], DType.U8));
        var (meanScales, squareScales) = (CreateOps.Zeros([3]), CreateOps.Zeros([3]));
        for (var step = 1; step <= Steps; step++)
        {
            NetOps.EightBitAdamW_(
                [weight], [Gradient(step)], [means], [meanScales], [squares], [squareScales], [CreateOps.Full([1], step)], 1e-2, 0.9, 0.999, 0.1, 1e-8, null,
                CreateOps.Full([], 0));
            if (step is 1 or Steps)
            {
                var at = $"{kind}/{step}";
                Assert.InRange(means.ToArray<byte>().Zip(golden.Bytes($"{at}/mean")).Count(pair => pair.First != pair.Second), 0, codes);
                Assert.InRange(squares.ToArray<byte>().Zip(golden.Bytes($"{at}/square")).Count(pair => pair.First != pair.Second), 0, codes);
                Near(golden.Floats($"{at}/mean_scale"), meanScales, 1e-5);
                Near(golden.Floats($"{at}/square_scale"), squareScales, 1e-5);
                Near(golden.Floats($"{at}/weight"), weight, apart);
            }
        }

        void Same(string name, Tensor map) => Assert.Equal(golden.Floats(name), map.ToArray<float>());
    }

    private static Tensor Gradient(int step) =>
        CreateOps.From([.. Enumerable.Range(0, Count).Select(i => ((i * (7919 + (62 * step)) % 2047) - 1023f) / (1024 << (i % 5)))]);

    private static void Near(float[] expected, Tensor actual, double apart) =>
        Assert.All(expected.Zip(actual.ToArray<float>()), pair => Assert.Equal(pair.First, pair.Second, apart));
}
