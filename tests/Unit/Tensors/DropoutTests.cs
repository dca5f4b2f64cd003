using Fovea.Nn;
using Fovea.Nn.Lora;

namespace Fovea.Tests.Unit.Tensors;

/// <summary>Masks are drawn where they are used, and are those that SplitMix gives, bit for bit.</summary>
public sealed class DropoutTests : NativeTest
{
    private const double Probability = 0.1;

    [Theory]
    [InlineData(DType.F32, 1)]
    [InlineData(DType.F32, 31)]
    [InlineData(DType.F32, 1280)]
    [InlineData(DType.BF16, 2)]
    [InlineData(DType.BF16, 16)]
    [InlineData(DType.BF16, 37)]
    [InlineData(DType.BF16, 100)]
    [InlineData(DType.F16, 37)]
    internal void Values_and_gradients_are_those_of_a_mask_from_the_host(DType dtype, int width)
    {
        using var scope = TensorScope.Open("test");
        long[] keys = [3, -1, 0, long.MinValue, 0x0123456789ABCDEF, 6, 7, 8, 9, 10, 11];
        foreach (var (module, probability) in new[] { (0L, 0.1), (195L, 0.5), (7L, 0.05), (7L, 0.0), (1L, 0.999) })
        {
            var mask = CreateOps.On(TestDevice.Device, Mask(keys, width, module, probability), keys.Length, width).To(dtype);
            var (x, gradient) = (Random([keys.Length, width], 1).To(dtype), Random([keys.Length, width], 2).To(dtype));
            x.RequiresGrad = true;
            var y = x.Dropout(CreateOps.On(TestDevice.Device, keys), module, probability);
            Autograd.Backward(y, gradient);
            Assert.Equal(x.Detach().Mul(mask).To(DType.F32).ToArray<float>(), y.Detach().To(DType.F32).ToArray<float>());
            Assert.Equal(gradient.Mul(mask).To(DType.F32).ToArray<float>(), x.Grad()!.To(DType.F32).ToArray<float>());
        }
    }

    [Fact]
    public void Masks_are_those_that_the_emulated_kernels_give()
    {
        // The same number stands in tests/cuda-emulation/rows.cpp.
        using var scope = TensorScope.Open("test");
        var keys = CreateOps.On(TestDevice.Device, [1L, -1L, 12345L]);
        var hash = 0xcbf29ce484222325UL;
        foreach (var kept in CreateOps.Ones([3, 37], DType.F32, TestDevice.Device).Dropout(keys, 7, Probability).ToArray<float>())
        {
            hash = (hash ^ (kept > 0 ? 1UL : 0)) * 0x100000001b3;
        }

        Assert.Equal(0x59ef7490b49de0a9UL, hash);
    }

    [Theory]
    [InlineData(DType.F32, 1e-5)]
    [InlineData(DType.BF16, 2e-2)]
    internal void Linears_with_dropped_adapters_equal_their_formula(DType dtype, double tolerance)
    {
        using var scope = TensorScope.Open("test");
        var keys = CreateOps.On(TestDevice.Device, Enumerable.Range(0, 70).Select(i => (long)SplitMix.Mix(1, (ulong)i)).ToArray());
        Tensor[] weights = [Random([97, 48], 5).Mul(0.3).To(dtype), Random([7, 48], 6).Mul(0.3).To(dtype)];
        Tensor[] values = [Random([70, 48], 1), Random([4, 48], 2), Random([8, 48], 3), Random([97, 4], 4), Random([7, 8], 7)];
        var gradient = Random([70, 104], 8);
        var fused = Gradients(
            [.. values.Select((v, i) => i == 0 ? v.To(dtype) : v)], gradient.To(dtype),
            x => ShapeOps.Cat(x[0].LoraLinears(weights, [], [x[1], x[2]], [x[3], x[4]], 0.5, null, keys, [11, 12], 0.3), -1));
        var plain = Gradients(
            [.. values.Select(v => v.To(dtype).To(DType.F32))], gradient.To(dtype).To(DType.F32),
            x => ShapeOps.Cat(
                [.. Enumerable.Range(0, 2).Select(i => x[0].Linear(weights[i].To(DType.F32))
                    .Add(x[0].Dropout(keys, 11 + i, 0.3).Linear(x[1 + i]).Linear(x[3 + i]).Mul(0.5)))],
                -1));
        for (var i = 0; i < plain.Count; i++)
        {
            var allowed = TestDevice.Tolerance(tolerance) * Math.Max(1, plain[i].Max(Math.Abs));
            Assert.All(plain[i].Zip(fused[i]), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= allowed, $"result {i}: {pair}"));
        }
    }

    [Fact]
    public void A_stream_tells_steps_samples_tokens_and_modules_apart_and_nothing_else()
    {
        using var scope = TensorScope.Open("test");
        using var stream = new DropoutStream(0.5, 1);
        float[] Draw(long step, long sample, int token, int module)
        {
            stream.Begin(step, [sample], [token], TestDevice.Device);
            return stream.Apply(CreateOps.Ones([1, 256], DType.F32, TestDevice.Device), ModelPart.Language, module).ToArray<float>();
        }

        float[][] drawn = [Draw(0, 0, 0, 0), Draw(1, 0, 0, 0), Draw(0, 1, 0, 0), Draw(0, 0, 1, 0), Draw(0, 0, 0, 1)];
        Assert.Equal(drawn.Length, drawn.Select(mask => string.Join(' ', mask)).Distinct().Count());
        Assert.Equal(drawn[0], Draw(0, 0, 0, 0));
        Assert.All(drawn, mask => Assert.InRange(mask.Sum(), 256 - 100, 256 + 100));
    }

    [Fact]
    public void Rows_that_nobody_told_of_are_refused()
    {
        using var scope = TensorScope.Open("test");
        using var stream = new DropoutStream(0.5, 1);
        Assert.Throws<InvalidOperationException>(() => stream.Apply(Random([2, 4], 1), ModelPart.Language, 0));
        stream.Begin(0, [1, 2, 3], [0, 1, 2], TestDevice.Device);
        Assert.Contains("told of 3 rows and met [2, 4]", Assert.Throws<TorchException>(() => stream.Apply(Random([2, 4], 1), ModelPart.Language, 0)).Message);
    }

    private static float[] Mask(long[] keys, int width, long module, double probability)
    {
        var mask = new float[keys.Length * width];
        for (var i = 0; i < mask.Length; i++)
        {
            var place = i % width;
            var bits = SplitMix.Mix(SplitMix.Mix((ulong)keys[i / width], (ulong)module), (ulong)(place & ~1));
            var own = (uint)(place % 2 == 0 ? bits : bits >> 32);
            mask[i] = own < (uint)(probability * (1UL << 32)) ? 0 : (float)(1 / (1 - probability));
        }

        return mask;
    }

    private static List<float[]> Gradients(Tensor[] values, Tensor gradient, Func<Tensor[], Tensor> f)
    {
        Tensor[] leaves = [.. values.Select(v => v.Detach().Clone())];
        Array.ForEach(leaves, leaf => leaf.RequiresGrad = true);
        var y = f(leaves);
        Autograd.Backward(y, gradient);
        return [.. leaves.Select(l => l.Grad()!).Prepend(y.Detach()).Select(t => t.To(DType.F32).ToArray<float>())];
    }

    private static Tensor Random(long[] shape, ulong seed)
    {
        Torch.Seed(seed);
        return CreateOps.Empty(shape).Normal_(0, 1).To(TestDevice.Device);
    }
}
