using Fovea.Models;
using Fovea.Models.Qwen35;
using Fovea.Nn;
using Fovea.Tests.Unit.Configs;
using Fovea.Training.Session;

namespace Fovea.Tests.Parity.Qwen35;

/// <summary>The model against Transformers 5.12 on the same random weights, fp32 (tests/goldens/qwen3_5).</summary>
public sealed class ForwardTests : NativeTest
{
    // The original's own variants differ by 1.6e-5, and norms of small vectors make more of it.
    private const double Tolerance = 5e-5;
    private readonly TinyData data = new();
    private readonly Qwen35Model model;
    private readonly GradScope noGrad;

    // Not field initialisers: those run before the base class has counted what was open.
    public ForwardTests()
    {
        model = TinyData.Load();
        noGrad = Autograd.NoGrad();
    }

    public static TheoryData<string> Samples => [.. GridData.Names];

    [Fact]
    public void Every_stage_of_the_vision_tower_agrees()
    {
        using var scope = TensorScope.Open("test");
        using var step = data.Plan(0, [data.Named("one")]);
        var input = model.Prepare(step.MicroBatches[0]);
        var seen = 0;
        var tower = model.Vision.Encode(input.Pixels!, input.Grids, (what, x) =>
        {
            data.Forward.Near($"one.vis.{what}", x, Tolerance);
            seen++;
        });
        data.Forward.Near("one.vis.merger", model.Vision.Merge(tower.Embeddings), Tolerance);
        Assert.Equal((2 + 4, 0), (seen, tower.PerLayer.Count));
    }

    [Fact]
    public void Every_layer_of_the_decoder_agrees()
    {
        using var scope = TensorScope.Open("test");
        using var step = data.Plan(0, [data.Named("one")]);
        var input = model.Prepare(step.MicroBatches[0]);
        var seen = 0;
        model.Language.Forward(input, model.VisionFeatures(input)!, (what, x) =>
        {
            data.Forward.Near(what == "input" ? "one.inputs_embeds" : $"one.layer{what["block".Length..]}.out", x, Tolerance);
            seen++;
        });
        Assert.Equal(9, seen);
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void Pixels_hidden_states_logits_and_the_loss_of_every_token_agree(string name)
    {
        using var scope = TensorScope.Open("test");
        using var step = data.Plan(0, [data.Named(name)]);
        var input = model.Prepare(step.MicroBatches[0]);
        if (input.Pixels is not null)
        {
            data.Forward.Near($"{name}.pixel_values", input.Pixels, 1e-6);
            data.Forward.Near($"{name}.vis.merger", model.VisionFeatures(input)!.Embeddings, Tolerance);
        }

        var hidden = model.Hidden(input, model.VisionFeatures(input));
        data.Forward.Near($"{name}.hidden_norm", hidden, Tolerance);
        var logits = hidden.Linear(model.Head.Use());
        var rows = CreateOps.On(TestDevice.Device, data.Forward.Longs($"{name}.logits_rows"));
        data.Forward.Near($"{name}.logits", logits.IndexSelect(0, rows), 2 * Tolerance);
        var sums = logits.ToArray<float>().Chunk(model.Config.VocabularySize).Select(row => (float)Math.Log(row.Sum(value => Math.Exp(value))));
        Golden.Near("logsumexp", data.Forward.Floats($"{name}.logsumexp"), [.. sums], Tolerance);
        var losses = new StepRunner(model, visionLearns: false).Evaluate(step.MicroBatches[0]).TokenLosses;
        Golden.Near("nll", Losses(name), losses, 2 * Tolerance);
    }

    /// <summary>Where the original leaks states from sample to sample (packed_in_transformers in forward.json), ours begins anew.</summary>
    [Fact]
    public void Samples_packed_together_lose_what_each_loses_alone()
    {
        string[][] batches = [["text", "long"], ["one", "text", "two"], ["two", "resized", "turns", "long", "text", "one"]];
        foreach (var names in batches)
        {
            using var scope = TensorScope.Open("test");
            using var step = data.Plan(0, [.. names.Select(data.Named)]);
            var batch = Assert.Single(step.MicroBatches);
            Assert.Equal(names.Length, batch.Samples);
            var losses = new StepRunner(model, visionLearns: false).Evaluate(batch).TokenLosses;
            Assert.Equal(names.Sum(name => Losses(name).Length), losses.Length);

            // The planner decides the order of samples.
            var at = 0;
            foreach (var row in batch.SampleIndices)
            {
                var expected = Losses(GridData.Names[row]);
                Golden.Near("nll", expected, losses[at..(at + expected.Length)], 2 * Tolerance);
                at += expected.Length;
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Wanted_rows_equal_those_of_the_whole_whatever_the_last_layer_is(bool endsRecurrent)
    {
        using var folder = new ConfigFolder("qwen3_5/model");
        if (endsRecurrent)
        {
            folder.Set("text_config.full_attention_interval", null);
            folder.Set("text_config.num_hidden_layers", "3");
            folder.Set("text_config.layer_types", """["full_attention", "linear_attention", "linear_attention"]""");
        }

        using var other = (Qwen35Model)ModelSource.Open(folder.Path).Build(new NamedSource(), new ModelOptions { Device = TestDevice.Device });
        Assert.Equal(endsRecurrent, other.Config.Recurrent[^1]);
        using var scope = TensorScope.Open("test");
        using var step = data.Plan(0, [data.Named("two"), data.Named("text")]);
        var input = other.Prepare(step.MicroBatches[0]);
        var features = other.VisionFeatures(input);
        var wanted = CreateOps.On(TestDevice.Device, [1L, 11L, 12L, input.Ids.Size(0) - 1]);
        var part = other.Hidden(input with { Wanted = wanted }, features);
        Golden.Near("wanted", other.Hidden(input, features).IndexSelect(0, wanted).ToArray<float>(), part.ToArray<float>(), 1e-5);
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void Positions_equal_the_originals(string name)
    {
        var sample = data.Named(name);
        var positions = new[] { new int[sample.Ids.Length], new int[sample.Ids.Length], new int[sample.Ids.Length] };
        long[] ids = [.. sample.Ids.Select(id => (long)id)];
        var next = model.PlacePrompt(ids, [.. sample.Images.Select(image => image.Grid)], positions);
        var expected = data.Json(name).GetProperty("position_ids").EnumerateArray()
            .Select(axis => axis.EnumerateArray().Select(v => v.GetInt32()).ToArray()).ToArray();
        Assert.Equal(expected, positions);
        Assert.Equal(ids.Length + data.Json(name).GetProperty("rope_delta").GetInt32(), next);
    }

    [Fact]
    public void Angles_of_the_turned_part_of_a_head_equal_the_originals()
    {
        using var scope = TensorScope.Open("test");
        using var step = data.Plan(0, [data.Named("one")]);
        var positions = model.Prepare(step.MicroBatches[0]).Positions;
        var config = model.Config;
        Assert.Equal((64, 16), (config.HeadSize, config.TurnedSize));
        Assert.Equal([0, 1, 2, 0, 1, 2, 0, 1], config.AxisOfFrequency);
        data.Forward.Near("one.rotary_cos", Models.Grids.MultimodalRotary.For(positions, config.Rope, config.AxisOfFrequency, TestDevice.Device).Cos, 1e-6);
    }

    [Fact]
    public void The_config_of_Transformers_5_means_the_same()
    {
        var other = Qwen35Config.Read(ConfigReader.Open(TestFiles.Golden("qwen3_5/config.transformers5.json")));
        Assert.Equivalent(model.Config, other, strict: true);
    }

    [Fact]
    public void Layers_may_be_named_or_counted()
    {
        using var counted = new ConfigFolder("qwen3_5/model");
        counted.Set("text_config.layer_types", null);
        Assert.Equivalent(model.Config, Qwen35Config.Read(ModelSource.Open(counted.Path).Config), strict: true);
        using var named = new ConfigFolder("qwen3_5/model");
        named.Set("text_config.full_attention_interval", null);
        Assert.Equivalent(model.Config, Qwen35Config.Read(ModelSource.Open(named.Path).Config), strict: true);
    }

    [Fact]
    public void Weights_for_several_tokens_at_once_are_told_of() =>
        Assert.Contains(model.Notices, notice => notice.Contains("15 weights mtp.*", StringComparison.Ordinal));

    [Fact]
    public void Parts_of_the_recurrence_agree()
    {
        foreach (var name in new[] { "one", "long" })
        {
            using var scope = TensorScope.Open("test");
            using var step = data.Plan(0, [data.Named(name)]);
            var input = model.Prepare(step.MicroBatches[0]);
            Tensor? embedded = null;
            model.Language.Forward(input, model.VisionFeatures(input), (what, x) => embedded = what == "input" ? x : embedded);
            var first = model.Ledger.Root / "model" / "language_model" / "layers" / 0;
            var mixer = new GatedDeltaMixer(first / "linear_attn", model.Config.Delta, 0);
            var normed = embedded!.RmsNorm(model.Ledger[$"{first.Path}.input_layernorm.weight"].Use(), model.Config.NormEpsilon, 1);
            var seen = 0;
            mixer.Forward(normed, input.Attention, null, (what, x) =>
            {
                var shape = data.Forward.Shape($"{name}.layer0.gdn.{what}");
                data.Forward.Near($"{name}.layer0.gdn.{what}", x.Reshape(shape), Tolerance);
                seen++;
            });
            Assert.Equal(6, seen);
        }
    }

    protected override void Cleanup()
    {
        noGrad.Dispose();
        model.Dispose();
        data.Dispose();
    }

    private float[] Losses(string name) => [.. data.Json(name).GetProperty("nll").EnumerateArray().Select(v => (float)v.GetDouble())];
}
