using System.Text.Json;
using Fovea.Models;
using Fovea.Models.Qwen35;
using Fovea.Nn;
using Fovea.Training.Session;

namespace Fovea.Tests.Parity.Qwen35Moe;

/// <summary>The model against Transformers 5.12 on the same random weights, fp32 (tests/goldens/qwen3_5_moe/README.md).</summary>
public sealed class ForwardTests : NativeTest
{
    // The original's own variants differ by 7.5e-5 in logits: norms of small vectors make much of little.
    private const double Tolerance = 1e-4;
    private const string Folder = "qwen3_5_moe";
    private static readonly JsonElement Samples = Golden.Json(TestFiles.Golden($"{Folder}/forward.json")).GetProperty("samples");
    private readonly Golden golden = new(TestFiles.Golden($"{Folder}/forward.safetensors"));
    private readonly GridRun run;
    private readonly Qwen35Model model;
    private readonly GradScope noGrad;

    // Not field initialisers: those run before the base class has counted what was open.
    public ForwardTests()
    {
        run = new GridRun(Folder, template: "qwen3_5_nothink");
        model = (Qwen35Model)run.Model;
        noGrad = Autograd.NoGrad();
    }

    public static TheoryData<string> Names => ["one", "two", "resized", "text", "turns", "long"];

    [Fact]
    public void Routers_choose_the_same_experts_and_every_part_of_every_layer_agrees()
    {
        using var scope = TensorScope.Open("test");
        var input = run.Forward("one");
        var features = model.VisionFeatures(input)!;
        golden.Near("one.vis.merger", features.Embeddings, Tolerance);
        var (kept, compared) = (golden.Names.ToHashSet(), 0);
        var hidden = model.Language.Forward(input, features, inside: (what, x) =>
        {
            var name = $"one.{what.Replace("mlp_out", "moe_out")}";
            if (!kept.Contains(name))
            {
                Assert.EndsWith("mixer_out", what);
                return;
            }

            compared++;
            if (what.EndsWith("experts", StringComparison.Ordinal))
            {
                Assert.Equal(golden.Longs(name), x.ToArray<long>());
            }
            else
            {
                golden.Near(name, x, Tolerance);
            }
        });
        Assert.Equal((4 * 6) + 2, compared);
        golden.Near("one.hidden_norm", hidden, Tolerance);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Logits_and_the_loss_of_every_token_agree(string sample)
    {
        using var scope = TensorScope.Open("test");
        var input = run.Forward(sample);
        var logits = model.Hidden(input, model.VisionFeatures(input)).Linear(model.Head.Use());
        var rows = golden.Longs($"{sample}.logits_rows");
        if (golden.Names.Contains($"{sample}.logits"))
        {
            golden.Near($"{sample}.logits", logits.IndexSelect(0, CreateOps.On(TestDevice.Device, rows)), 2 * Tolerance);
        }

        var (values, ids) = (logits.To(DType.F32).ToArray<float>().Chunk((int)logits.Size(1)).ToList(), input.Ids.ToArray<long>());
        float[] sums = [.. values.Select(row => (float)Math.Log(row.Sum(value => Math.Exp(value))))];
        Golden.Near("logsumexp", golden.Floats($"{sample}.logsumexp"), sums, Tolerance);
        Golden.Near("losses", Losses(sample), [.. rows.Select(row => sums[row] - values[(int)row][ids[row + 1]])], 2 * Tolerance);
    }

    /// <summary>Where the original leaks states from sample to sample, ours begins anew; and experts see tokens of several samples at once.</summary>
    [Fact]
    public void Rows_packed_together_lose_what_each_loses_alone()
    {
        using var scope = TensorScope.Open("test");
        int[] rows = [0, 5, 3, 13, 8];
        using var step = run.Plan(rows, 1_000_000, 0);
        var batch = Assert.Single(step.MicroBatches);
        var together = new StepRunner(model, visionLearns: false).Evaluate(batch).TokenLosses;
        var at = 0;
        foreach (var row in batch.SampleIndices)
        {
            using var one = run.Plan([row], 1_000_000, 0);
            var alone = new StepRunner(model, visionLearns: false).Evaluate(one.MicroBatches[0]).TokenLosses;
            Golden.Near("losses", alone, together[at..(at + alone.Length)], 2e-5);
            at += alone.Length;
        }

        Assert.Equal(together.Length, at);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Wanted_rows_equal_those_of_the_whole_with_the_routers_loss_and_without(bool balanced)
    {
        using var scope = TensorScope.Open("test");
        var input = run.Forward("two");
        var features = model.VisionFeatures(input);
        var wanted = CreateOps.On(TestDevice.Device, [1L, 11L, 12L, input.Ids.Size(0) - 1]);
        var part = model.Hidden(
            input with
            {
                Wanted = wanted, Side = balanced ? new SideLosses() : null, Groups = balanced ? [new TokenGroup(0, (int)input.Ids.Size(0), 0.1)] : [],
            },
            features);
        Golden.Near("wanted", model.Hidden(input, features).IndexSelect(0, wanted).ToArray<float>(), part.ToArray<float>(), 1e-5);
    }

    [Fact]
    public void Positions_equal_the_originals()
    {
        using var scope = TensorScope.Open("test");
        foreach (var sample in Samples.EnumerateObject())
        {
            var input = run.Forward(sample.Name);
            var expected = sample.Value.GetProperty("position_ids").EnumerateArray().Select(axis => axis.EnumerateArray().Select(v => v.GetInt32()).ToArray());
            Assert.Equal(expected, input.Positions);
        }
    }

    [Fact]
    public void The_config_of_Transformers_5_means_the_same()
    {
        var other = Qwen35Config.Read(ConfigReader.Open(TestFiles.Golden($"{Folder}/config.transformers5.json")));
        Assert.Equivalent(model.Config, other, strict: true);
        Assert.Equivalent(new ExpertShape { Count = 8, PerToken = 3, Inner = 40, SharedInner = 56 }, other.Experts, strict: true);
    }

    protected override void Cleanup()
    {
        noGrad.Dispose();
        run.Dispose();
        golden.Dispose();
    }

    private static float[] Losses(string name) => [.. Samples.GetProperty(name).GetProperty("nll").EnumerateArray().Select(v => (float)v.GetDouble())];
}
