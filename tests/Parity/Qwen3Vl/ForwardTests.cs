using Fovea.Models;
using Fovea.Models.Qwen3Vl;
using Fovea.Training.Session;

namespace Fovea.Tests.Parity.Qwen3Vl;

/// <summary>The model against Transformers 5.12 on the same random weights, fp32 (tests/goldens/qwen3_vl).</summary>
public sealed class ForwardTests : NativeTest
{
    private const double Tolerance = 5e-5;
    private readonly TinyData data = new();
    private readonly Qwen3VlModel model;
    private readonly GradScope noGrad;

    // Not field initialisers: those run before the base class has counted what was open.
    public ForwardTests()
    {
        model = TinyData.Load();
        noGrad = Autograd.NoGrad();
    }

    public static TheoryData<string> Samples => [.. TinyData.Names];

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
        Assert.Equal(2 + 6 + 3, seen);
        Assert.Equal(3, tower.PerLayer.Count);
    }

    [Fact]
    public void Features_of_images_of_other_sizes_agree()
    {
        foreach (var name in new[] { "two", "resized", "turns" })
        {
            using var scope = TensorScope.Open("test");
            using var step = data.Plan(0, [data.Named(name)]);
            data.Forward.Near($"{name}.vis.merger", model.VisionFeatures(model.Prepare(step.MicroBatches[0]))!.Embeddings, Tolerance);
        }
    }

    [Fact]
    public void Every_layer_of_the_decoder_agrees_with_what_images_add_behind_it()
    {
        using var scope = TensorScope.Open("test");
        using var step = data.Plan(0, [data.Named("one")]);
        var input = model.Prepare(step.MicroBatches[0]);
        var features = model.VisionFeatures(input)!;
        var seen = new Dictionary<string, Tensor>();
        model.Language.Forward(input, features, seen.Add);
        data.Forward.Near("one.inputs_embeds", seen["input"], Tolerance);
        for (var layer = 0; layer < 3; layer++)
        {
            data.Forward.Near($"one.layer{layer + 1}.in", seen[$"block{layer}"], Tolerance);
            var before = seen[$"block{layer}"].IndexAdd(0, input.ImageSlots!, features.PerLayer[layer].Mul(-1));
            data.Forward.Near($"one.layer{layer}.out", before, Tolerance);
        }

        data.Forward.Near("one.layer3.out", seen["block3"], Tolerance);
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void Hidden_states_logits_and_the_loss_of_every_token_agree(string name)
    {
        using var scope = TensorScope.Open("test");
        using var step = data.Plan(0, [data.Named(name)]);
        var input = model.Prepare(step.MicroBatches[0]);
        var hidden = model.Hidden(input, model.VisionFeatures(input));
        data.Forward.Near($"{name}.hidden_norm", hidden, Tolerance);
        var logits = hidden.Linear(model.Head.Use());
        var rows = CreateOps.On(TestDevice.Device, data.Forward.Longs($"{name}.logits_rows"));
        data.Forward.Near($"{name}.logits", logits.IndexSelect(0, rows), Tolerance);
        var sums = logits.ToArray<float>().Chunk(model.Config.VocabularySize).Select(row => (float)Math.Log(row.Sum(value => Math.Exp(value))));
        Golden.Near("logsumexp", data.Forward.Floats($"{name}.logsumexp"), [.. sums], Tolerance);
        var losses = new StepRunner(model, visionLearns: false).Evaluate(step.MicroBatches[0]).TokenLosses;
        Golden.Near("nll", Losses(name), losses, Tolerance);
    }

    [Fact]
    public void Samples_packed_together_lose_what_each_loses_alone()
    {
        string[][] batches = [["one", "text", "two"], ["two", "resized", "turns", "long", "text", "one"]];
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
                var expected = Losses(TinyData.Names[row]);
                Golden.Near("nll", expected, losses[at..(at + expected.Length)], Tolerance);
                at += expected.Length;
            }
        }
    }

    [Fact]
    public void Wanted_rows_equal_those_of_the_whole()
    {
        using var scope = TensorScope.Open("test");
        using var step = data.Plan(0, [data.Named("two")]);
        var input = model.Prepare(step.MicroBatches[0]);
        var features = model.VisionFeatures(input);
        var wanted = CreateOps.On(TestDevice.Device, [1L, 11L, 12L, input.Ids.Size(0) - 1]);
        var part = model.Hidden(input with { Wanted = wanted }, features);
        data.Forward.Near("two.hidden_norm", model.Hidden(input, features), Tolerance);
        Golden.Near("wanted", model.Hidden(input, features).IndexSelect(0, wanted).ToArray<float>(), part.ToArray<float>(), 1e-5);
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
    public void Angles_of_the_interleaved_axes_equal_the_originals()
    {
        using var scope = TensorScope.Open("test");
        using var step = data.Plan(0, [data.Named("one")]);
        var positions = model.Prepare(step.MicroBatches[0]).Positions;
        var config = model.Config;
        Assert.Equal([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0], config.AxisOfFrequency);
        data.Forward.Near("one.rotary_cos", Models.Grids.MultimodalRotary.For(positions, config.Rope, config.AxisOfFrequency, TestDevice.Device).Cos, 1e-6);
    }

    [Fact]
    public void The_config_of_Transformers_5_means_the_same()
    {
        var other = Qwen3VlConfig.Read(ConfigReader.Open(TestFiles.Golden("qwen3_vl/config.transformers5.json")));
        Assert.Equivalent(model.Config, other, strict: true);
    }

    protected override void Cleanup()
    {
        noGrad.Dispose();
        model.Dispose();
        data.Dispose();
    }

    private float[] Losses(string name) => [.. data.Json(name).GetProperty("nll").EnumerateArray().Select(v => (float)v.GetDouble())];
}
