using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fovea.Files.Safetensors;
using Fovea.Tests.Unit.Robustness;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Distributed;

/// <summary>The same small run with several numbers of ranks, and what must be equal.</summary>
internal sealed partial class RankRuns : IDisposable
{
    public TinyRun Tiny { get; } = new();

    /// <summary>What TCP may carry beside a tenth more than theory, where a run sends so little that the protocol itself is seen.</summary>
    public double ProtocolMegabytes { get; init; }

    /// <summary>Another configuration than the tiny model's.</summary>
    public string? Config { get; set; }

    /// <summary>What all ranks of the last run sent in a step, by theory and, within a tenth, over TCP.</summary>
    public double MegabytesAStep { get; private set; }

    public void Dispose() => Tiny.Dispose();

    public static void Near(double[] a, double[] b, double tolerance)
    {
        Assert.Equal(a.Length, b.Length);
        for (var i = 0; i < a.Length; i++)
        {
            Assert.True(Math.Abs(a[i] - b[i]) <= tolerance, $"step {i}: {a[i]:R} and {b[i]:R}");
        }
    }

    public double[] Train(string name, int ranks, int samplesAStep, params string[] overrides) => Split(name, ranks, 1, samplesAStep, overrides);

    /// <param name="together">How many ranks split the tokens of a micro-batch.</param>
    public double[] Split(string name, int ranks, int together, int samplesAStep, params string[] overrides)
    {
        string[] all =
        [
            $"output_dir={Tiny.Out(name)}", $"gradient_accumulation_steps={samplesAStep * together / ranks}", $"sequence_parallel_size={together}",
            "save_steps=100", .. overrides,
        ];
        if (ranks == 1)
        {
            SupervisedFineTune.Run(TrainConfig.Load(Config ?? Tiny.Config, all), []);
        }
        else
        {
            var sent = Sent().Match(RankGroup.Run(ranks, ["train", Config ?? Tiny.Config, .. all])[0].Output);
            var (theory, wire) = (Number(sent.Groups["theory"]), Number(sent.Groups["wire"]));
            Assert.InRange(wire, theory, (1.1 * theory) + ProtocolMegabytes);
            MegabytesAStep = theory;
        }

        return Tiny.Losses(name);
    }

    private static double Number(Group group) => double.Parse(group.Value, CultureInfo.InvariantCulture);

    private static float[] Values(TensorEntry entry) => entry.DType == DType.F16
        ? Array.ConvertAll(MemoryMarshal.Cast<byte, Half>(entry.Span).ToArray(), half => (float)half)
        : MemoryMarshal.Cast<byte, float>(entry.Span).ToArray();

    [GeneratedRegex(@"sent (?<theory>[\d.]+) MB a step to one another by theory, (?<wire>[\d.]+) MB over TCP", RegexOptions.CultureInvariant)]
    private static partial Regex Sent();

    public double Number(string name, string key) =>
        (double)JsonNode.Parse(File.ReadAllText(Path.Combine(Tiny.Out(name), "trainer_state.json")))!["log_history"]!.AsArray()
            .Last(entry => entry![key] is not null)![key]!;

    public void SameWeights(string a, string b, double tolerance)
    {
        using var first = Checkpoint.Open(Tiny.Out(a));
        using var second = Checkpoint.Open(Tiny.Out(b));
        Assert.Equal(first.Tensors.Keys.Order(), second.Tensors.Keys.Order());
        foreach (var name in first.Tensors.Keys)
        {
            var (x, y) = (Values(first[name]), Values(second[name]));
            for (var i = 0; i < x.Length; i++)
            {
                Assert.True(Math.Abs(x[i] - y[i]) <= tolerance, $"{name}[{i}]: {x[i]:R} and {y[i]:R}");
            }
        }
    }
}
