using Fovea.Models;
using Fovea.Models.MiniCpmV46;
using Fovea.Training.Session;

namespace Fovea.Tests.Parity.MiniCpmV46;

/// <summary>The model against Transformers 5.12 on the same random weights, fp32 (tests/goldens/minicpmv4_6).</summary>
public sealed class ForwardTests : NativeTest
{
    // The original's own variants differ by 2e-5 on samples with images.
    private const double Tolerance = 5e-5;
    private readonly TinyData data = new();
    private readonly MiniCpmV46Model model;
    private readonly GradScope noGrad;

    // Not field initialisers: those run before the base class has counted what was open.
    public ForwardTests()
    {
        model = TinyData.Load();
        noGrad = Autograd.NoGrad();
    }

    public static TheoryData<string> Samples => [.. TinyData.Names];

    [Fact]
    public void Every_stage_of_the_vision_side_agrees()
    {
        using var scope = TensorScope.Open("test");
        using var step = data.Plan(["one"]);
        var input = model.Prepare(step.MicroBatches[0]);
        var seen = 0;
        var tower = model.Vision.Forward(input.Pixels!, input.Grids, (what, x) =>
        {
            data.Forward.Near($"one.vis.{what}", x, Tolerance);
            seen++;
        });
        data.Forward.Near("one.vis.merger", model.Project(new VisualFeatures(tower), input).Embeddings, Tolerance);
        Assert.Equal(2 + 5 + 2 + 1, seen);
        Assert.Equal(model.TowerRows(input.Grids[0]), tower.Size(0));
    }

    [Fact]
    public void Every_layer_of_the_decoder_agrees()
    {
        using var scope = TensorScope.Open("test");
        using var step = data.Plan(["one"]);
        var input = model.Prepare(step.MicroBatches[0]);
        var seen = 0;
        model.Language.Forward(input, model.VisionFeatures(input)!, (what, x) =>
        {
            data.Forward.Near(what == "input" ? "one.inputs_embeds" : $"one.layer{what["block".Length..]}.out", x, Tolerance);
            seen++;
        });
        Assert.Equal(5, seen);
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void Hidden_states_logits_and_the_loss_of_every_token_agree(string name)
    {
        using var scope = TensorScope.Open("test");
        using var step = data.Plan([name]);
        var input = model.Prepare(step.MicroBatches[0]);
        if (input.Pixels is not null)
        {
            data.Forward.Near($"{name}.vis.merger", model.VisionFeatures(input)!.Embeddings, Tolerance);
        }

        var hidden = model.Hidden(input, model.VisionFeatures(input));
        data.Forward.Near($"{name}.hidden_norm", hidden, Tolerance);
        var logits = hidden.Linear(model.Head.Use());
        data.Forward.Near($"{name}.logits", logits.IndexSelect(0, CreateOps.On(TestDevice.Device, data.Forward.Longs($"{name}.logits_rows"))), 2 * Tolerance);
        var sums = logits.ToArray<float>().Chunk(model.Config.VocabularySize).Select(row => (float)Math.Log(row.Sum(value => Math.Exp(value))));
        Golden.Near("logsumexp", data.Forward.Floats($"{name}.logsumexp"), [.. sums], Tolerance);
        var losses = new StepRunner(model, visionLearns: false).Evaluate(step.MicroBatches[0]).TokenLosses;
        Golden.Near("nll", Losses(name), losses, 2 * Tolerance);
    }

    [Fact]
    public void Samples_packed_together_lose_what_each_loses_alone()
    {
        string[][] batches = [["text", "long"], ["one", "text", "two"], ["two", "resized", "turns", "long", "text", "one"]];
        foreach (var names in batches)
        {
            using var scope = TensorScope.Open("test");
            using var step = data.Plan(names);
            var batch = Assert.Single(step.MicroBatches);
            var losses = new StepRunner(model, visionLearns: false).Evaluate(batch).TokenLosses;

            // The planner decides the order of samples.
            var at = 0;
            foreach (var row in batch.SampleIndices)
            {
                var expected = Losses(TinyData.Names[row]);
                Golden.Near("nll", expected, losses[at..(at + expected.Length)], 2 * Tolerance);
                at += expected.Length;
            }

            Assert.Equal(losses.Length, at);
        }
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void Tokens_of_images_have_places_like_those_of_text(string name)
    {
        var sample = data.Named(name);
        var positions = new[] { new int[sample.Ids.Length], new int[sample.Ids.Length], new int[sample.Ids.Length] };
        var next = model.PlacePrompt([.. sample.Ids.Select(id => (long)id)], [.. sample.Images.Select(image => image.Grid)], positions);
        var expected = data.Json(name).GetProperty("position_ids").EnumerateArray()
            .Select(axis => axis.EnumerateArray().Select(v => v.GetInt32()).ToArray()).ToArray();
        Assert.Equal(expected, positions);
        Assert.Equal(sample.Ids.Length, next);
    }

    [Fact]
    public void With_four_times_the_tokens_windows_stay_and_logits_agree()
    {
        var more = new MiniCpmV46Options { DownsampleMode = "4x" };
        using var own = new TinyData(more);
        using var other = TinyData.Load(new ModelOptions { Family = more, Trainable = (_, _) => true });
        using var scope = TensorScope.Open("test");
        using var step = own.Plan(["one"]);
        var input = other.Prepare(step.MicroBatches[0]);
        var logits = other.Hidden(input, other.VisionFeatures(input)).Linear(other.Head.Use());
        own.Forward.Near("one_4x.logits", logits.IndexSelect(0, CreateOps.On(TestDevice.Device, own.Forward.Longs("one_4x.logits_rows"))), 2 * Tolerance);
        Assert.Equal(own.Named("one").Images[0].Tokens, other.FeatureRows(input.Grids[0]));
        Assert.DoesNotContain(other.Ledger.Trainable, parameter => parameter.Name.Contains("vit_merger", StringComparison.Ordinal));
        Assert.Contains(other.Ledger.Trainable, parameter => parameter.Name.Contains("vision_tower", StringComparison.Ordinal));
    }

    [Fact]
    public void The_config_of_Transformers_5_means_the_same() => Assert.Equivalent(
        model.Config, MiniCpmV46Config.Read(ConfigReader.Open(TestFiles.Golden("minicpmv4_6/config.transformers5.json"))), strict: true);

    protected override void Cleanup()
    {
        noGrad.Dispose();
        model.Dispose();
        data.Dispose();
    }

    private float[] Losses(string name) => [.. data.Json(name).GetProperty("nll").EnumerateArray().Select(v => (float)v.GetDouble())];
}
