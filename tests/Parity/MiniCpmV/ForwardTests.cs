using System.Runtime.InteropServices;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.MiniCpmV;
using Fovea.Models.Slices;
using Fovea.Training.Session;

namespace Fovea.Tests.Parity.MiniCpmV;

/// <summary>The models against the hub's code on the same random weights, fp32 (tests/goldens/minicpm_v*/generate.py).</summary>
public sealed class ForwardTests : NativeTest
{
    public static TheoryData<string, string> Cases()
    {
        var cases = new TheoryData<string, string>();
        foreach (var version in (string[])["minicpm_v45", "minicpm_v4_derived", "minicpm_v26", "minicpm_v25", "minicpm_v2"])
        {
            foreach (var known in Golden.Json(TestFiles.Golden($"{version}/forward.json")).EnumerateArray())
            {
                var name = known.GetProperty("case").GetString()!;

                // V-2.5 pads to the longest slice of a batch; ours to the longest of a sample, as batches of one have it.
                if (name.StartsWith("rows", StringComparison.Ordinal) && (version, name) != ("minicpm_v25", "rows_1_4"))
                {
                    cases.Add(version, name);
                }
            }
        }

        return cases;
    }

    [Theory]
    [InlineData("minicpm_v45", "rows_0")]
    [InlineData("minicpm_v4_derived", "rows_1")]
    [InlineData("minicpm_v45", "rows_1")]
    [InlineData("minicpm_v26", "rows_0")]
    [InlineData("minicpm_v26", "rows_1")]
    [InlineData("minicpm_v25", "rows_0")]
    [InlineData("minicpm_v25", "rows_1")]
    public void Vision_and_resampler_agree_at_every_step(string version, string name)
    {
        using var golden = new Golden(TestFiles.Golden($"{version}/forward.safetensors"));
        using var run = new OfficialRun(version);
        using var model = Load(version);
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        using var batch = run.Batch(Rows(name));
        var input = model.Prepare(batch);
        var longest = batch.Grids.Max(g => g.Patches);
        var padded = version == "minicpm_v25" ? Enumerable.Repeat(longest, batch.Grids.Length).ToArray() : null;
        var first = version == "minicpm_v25" ? "vision_block0" : "vision_layer0";
        var x = model.Vision.Forward(input.Pixels!, input.Grids, padded, (what, value) =>
        {
            var key = what switch { "embed" => "vision_embed", "block0" => first, "norm" => "vision_out", _ => null };
            if (key is not null)
            {
                Slices(golden, $"{name}.{key}", value, padded ?? [.. batch.Grids.Select(g => g.Patches)]);
            }
        });
        var seen = 0;
        var features = model.Resampler.Forward(x, input.Grids, (what, value) =>
        {
            seen++;
            if (what == "kv")
            {
                Slices(golden, $"{name}.resampler_kv", value, [.. batch.Grids.Select(g => g.Patches)]);
            }
        });
        Assert.Equal(2, seen);
        Golden.Near("resampler_out", golden.Floats($"{name}.resampler_out"), features.ToArray<float>(), 1e-4);
    }

    [Theory]
    [InlineData("rows_0")]
    [InlineData("rows_1")]
    public void Vision_and_resampler_of_V_2_agree_at_every_step(string name)
    {
        using var golden = new Golden(TestFiles.Golden("minicpm_v2/forward.safetensors"));
        using var run = new OfficialRun("minicpm_v2");
        using var model = Load("minicpm_v2");
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        using var batch = run.Batch(Rows(name));
        var input = model.Prepare(batch);
        void Compare(string key, Tensor value, Func<int, long> rows)
        {
            var start = 0L;
            for (var i = 0; i < batch.Grids.Length; i++)
            {
                var end = start + rows(i);
                Golden.Near($"{key}.image{i}", golden.Floats($"{name}.{key}.image{i}"), value.Slice(0, start, end).Contiguous().ToArray<float>(), 1e-4);
                start = end;
            }
        }

        long Patches(int i) => batch.Grids[i].Patches;
        var x = model.Vision.Forward(input.Pixels!, input.Grids, watch: (what, value) =>
        {
            var key = what switch { "embed" => "vision_embed", "block0" => "vision_block0", "norm" => "vision_out", _ => null };
            if (key is not null)
            {
                Compare(key, value, Patches);
            }
        });
        var features = model.Resampler.Forward(
            x, input.Grids, (what, value) => Compare(what == "kv" ? "resampler_kv" : "resampler_attn", value, what == "kv" ? Patches : _ => 16));
        Compare("resampler_out", features, _ => 16);
    }

    [Theory]
    [InlineData("minicpm_v45")]
    [InlineData("minicpm_v4_derived")]
    [InlineData("minicpm_v26")]
    [InlineData("minicpm_v25")]
    [InlineData("minicpm_v2")]
    public void Hidden_states_and_logits_agree(string version)
    {
        using var golden = new Golden(TestFiles.Golden($"{version}/forward.safetensors"));
        using var run = new OfficialRun(version);
        using var model = Load(version);
        using var grad = Autograd.NoGrad();
        foreach (var name in (string[])["rows_0", "rows_1"])
        {
            using var scope = TensorScope.Open("test");
            using var batch = run.Batch(Rows(name));
            var input = model.Prepare(batch);
            var hidden = model.Language.Forward(
                input.Ids, input.Positions[0], input.Positions[1], input.Attention, model.VisionFeatures(input)?.At(input), watch: (what, x) =>
                {
                    var key = what == "input" ? "inputs_embeds" : $"hidden_out.{what["block".Length..]}";
                    Golden.Near(what, golden.Floats($"{name}.{key}"), x.ToArray<float>(), 1e-4);
                });
            var scale = model.Config.Language.OutputScale;
            Golden.Near("norm", golden.Floats($"{name}.hidden_norm"), hidden.Mul(1 / scale).ToArray<float>(), 1e-4);
            var positions = Case(version, name).GetProperty("logits_positions").EnumerateArray().Select(p => p.GetInt64()).ToArray();
            golden.Near($"{name}.logits_at", hidden.IndexSelect(0, CreateOps.On(TestDevice.Device, positions)).Linear(model.Head.Use()), 1e-4);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_loss_of_every_token_of_every_case_agrees(string version, string name)
    {
        using var golden = new Golden(TestFiles.Golden($"{version}/forward.safetensors"));
        using var run = new OfficialRun(version);
        using var model = Load(version);
        using var batch = run.Batch(Rows(name));
        var runner = new StepRunner(model, visionLearns: false);
        var result = runner.Evaluate(batch);
        Assert.Equal(Case(version, name).GetProperty("loss").GetDouble(), result.Loss, 1e-4);
        Golden.Near("nll", [.. golden.Floats($"{name}.nll").Where(v => v != 0)], result.TokenLosses, 1e-4);
    }

    [Fact]
    public void Every_position_of_every_grid_falls_into_the_original_s_bucket()
    {
        using var golden = Checkpoint.Open(TestFiles.Golden("minicpm_v26/vision_position_ids.safetensors"));
        foreach (var (name, entry) in golden.Tensors)
        {
            var (h, w) = name.StartsWith("side", StringComparison.Ordinal) ? (1, int.Parse(name["side".Length..]))
                : (int.Parse(name.Split('x')[0]), int.Parse(name.Split('x')[1]));
            var (rows, columns) = (PositionBuckets.Of(h, 70), PositionBuckets.Of(w, 70));
            var ids = rows.SelectMany(row => columns.Select(column => (row * 70) + column)).ToArray();
            Assert.True(MemoryMarshal.Cast<byte, int>(entry.Span).SequenceEqual(ids), name);
        }

        using var lines = Checkpoint.Open(TestFiles.Golden("minicpm_v25/position_ids.safetensors"));
        foreach (var (name, entry) in lines.Tensors)
        {
            Assert.True(MemoryMarshal.Cast<byte, int>(entry.Span).SequenceEqual(PositionBuckets.Of(int.Parse(name), 70)), name);
        }
    }

    [Fact]
    public void Padding_of_V_2_5_takes_part_as_in_the_original()
    {
        using var golden = new Golden(TestFiles.Golden("minicpm_v25/forward.safetensors"));
        using var run = new OfficialRun("minicpm_v25");
        using var model = Load("minicpm_v25");
        Assert.False(model.ImagesStandAlone);
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        using var batch = run.Batch(1, 4);
        var features = model.VisionFeatures(model.Prepare(batch) with { ImagesOfSamples = null })!.Embeddings;
        Golden.Near("resampler_out", golden.Floats("rows_1_4.resampler_out"), features.ToArray<float>(), 1e-4);
    }

    [Fact]
    public void Slices_of_V_2_5_can_stand_alone()
    {
        using var run = new OfficialRun("minicpm_v25");
        var own = new MiniCpmVOptions { VisionMask = VisionMask.Clean };
        using var model = ModelSource.Open(run.Folder("model")).Load(new ModelOptions { Device = TestDevice.Device, Family = own });
        Assert.True(model.ImagesStandAlone);
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        using var both = run.Batch(1, 4);
        using var one = run.Batch(4);
        var together = model.VisionFeatures(model.Prepare(both))!.Embeddings;
        var alone = model.VisionFeatures(model.Prepare(one))!.Embeddings;
        Golden.Near("alone", alone.ToArray<float>(), together.Slice(0, together.Size(0) - 16, together.Size(0)).Contiguous().ToArray<float>(), 1e-5);
    }

    internal static MiniCpmVModel Load(string version) =>
        (MiniCpmVModel)ModelSource.Open(TestFiles.Golden($"{version}/model")).Load(new ModelOptions { Device = TestDevice.Device });

    internal static int[] Rows(string name) => [.. name.Split('_').Skip(1).Select(int.Parse)];

    private static System.Text.Json.JsonElement Case(string version, string name) =>
        Golden.Json(TestFiles.Golden($"{version}/forward.json")).EnumerateArray().Single(c => c.GetProperty("case").GetString() == name);

    /// <summary>Compares rows of slices with the original's padded [slices, longest, width].</summary>
    private static void Slices(Golden golden, string name, Tensor value, int[] lengths)
    {
        var (shape, all, ours) = (golden.Shape(name), golden.Floats(name), value.Contiguous().ToArray<float>());
        var width = (int)shape[2];
        var at = 0;
        for (var i = 0; i < lengths.Length; i++)
        {
            var expected = all.AsSpan(i * (int)shape[1] * width, lengths[i] * width);
            Golden.Near($"{name}[{i}]", expected.ToArray(), ours[at..(at + expected.Length)], 1e-4);
            at += expected.Length;
        }
    }
}
