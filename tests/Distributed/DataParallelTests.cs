using Fovea.Tensors.Safetensors;
using Fovea.Tests.Unit.Robustness;

namespace Fovea.Tests.Distributed;

/// <summary>One, two and four ranks are the same run: losses and weights agree for the same samples a step.</summary>
public sealed class DataParallelTests : IDisposable
{
    private readonly TinyRun run = new();

    [Fact]
    public void Two_and_four_ranks_give_the_losses_and_adapters_of_one()
    {
        var one = Train("one", 1, 4, "lora_dropout=0.1");
        Near(one, Train("two", 2, 4, "lora_dropout=0.1"), 1e-5);
        Near(one, Train("four", 4, 4, "lora_dropout=0.1"), 1e-5);
        SameWeights("one", "two", 1e-5);
        SameWeights("one", "four", 1e-5);
    }

    public void Dispose() => run.Dispose();

    internal static void Near(double[] a, double[] b, double tolerance)
    {
        Assert.Equal(a.Length, b.Length);
        for (var i = 0; i < a.Length; i++)
        {
            Assert.True(Math.Abs(a[i] - b[i]) <= tolerance, $"step {i}: {a[i]:R} and {b[i]:R}");
        }
    }

    private double[] Train(string name, int ranks, int samplesAStep, params string[] overrides)
    {
        RankGroup.Run(ranks, run.Train(name, [$"gradient_accumulation_steps={samplesAStep / ranks}", "max_steps=4", "save_steps=4", .. overrides]));
        return run.Losses(name);
    }

    private void SameWeights(string a, string b, double tolerance)
    {
        using var first = Checkpoint.Open(run.Out(a));
        using var second = Checkpoint.Open(run.Out(b));
        Assert.Equal(first.Tensors.Keys.Order(), second.Tensors.Keys.Order());
        foreach (var name in first.Tensors.Keys)
        {
            var x = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(first[name].Span);
            var y = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(second[name].Span);
            for (var i = 0; i < x.Length; i++)
            {
                Assert.True(Math.Abs(x[i] - y[i]) <= tolerance, $"{name}[{i}]: {x[i]:R} and {y[i]:R}");
            }
        }
    }
}
