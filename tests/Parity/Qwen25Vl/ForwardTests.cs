using Fovea.Data.Images;
using Fovea.Models;
using Fovea.Models.Qwen25Vl;
using Fovea.Nn;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>The model against the original code on the same random weights, fp32 (tests/goldens/qwen2_5_vl_tiny/make/ref_forward.py).</summary>
public sealed class ForwardTests : NativeTest
{
    private static readonly string Folder = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private readonly Golden golden = new(TestFiles.Golden("qwen2_5_vl_tiny/forward.safetensors"));
    private readonly Qwen25VlModel model;
    private readonly GradScope noGrad;

    // Not field initialisers: those run before the base class has counted what was open.
    public ForwardTests()
    {
        model = (Qwen25VlModel)ModelSource.Open(Folder).Load(new ModelOptions { Device = TestDevice.Device });
        noGrad = Autograd.NoGrad();
    }

    [Fact]
    public void Every_block_of_the_vision_tower_agrees()
    {
        using var scope = TensorScope.Open("test");
        var pixels = CreateOps.On(TestDevice.Device, golden.Floats("s0.pixel_values"), golden.Shape("s0.pixel_values"));
        var seen = 0;
        var merged = model.Vision.Forward(pixels, Grids("s0"), (what, x) =>
        {
            golden.Near(what == "patch_embed" ? "s0.vis.patch_embed" : $"s0.vis.{what}_window_order", x, 1e-4);
            seen++;
        });
        golden.Near("s0.vis.merger_out", merged, 1e-4);
        Assert.Equal(5, seen);
    }

    [Fact]
    public void Hidden_states_and_logits_of_a_sample_with_an_image_agree()
    {
        using var scope = TensorScope.Open("test");
        var input = Input(0, golden.Floats("s0.pixel_values"), Grids("s0"));
        var seen = 0;
        var hidden = model.Language.Forward(input with { Wanted = null }, model.VisionFeatures(input), (what, x) =>
        {
            var index = what == "input" ? 0 : int.Parse(what["block".Length..]) + 1;
            if (index < 4)
            {
                golden.Near($"s0.hidden{index}", x, 1e-4);
                seen++;
            }
        });
        Assert.Equal(4, seen);
        golden.Near("s0.hidden4", hidden, 1e-4);
        golden.Near("s0.logits", hidden.Linear(model.Head.Use()), 1e-4);
    }

    [Theory]
    [InlineData(5, 0)]
    [InlineData(9, 2)]
    public void Logits_of_text_and_of_several_images_agree(int sample, int images)
    {
        using var scope = TensorScope.Open("test");
        var grids = images == 0 ? [] : Grids($"s{sample}");
        Assert.Equal(images, grids.Count);
        var input = Input(sample, images == 0 ? [] : golden.Floats($"s{sample}.pixel_values"), grids);
        golden.Near($"s{sample}.logits", model.Hidden(input, model.VisionFeatures(input)).Linear(model.Head.Use()), 1e-4);
    }

    [Fact]
    public void Wanted_rows_equal_those_of_the_whole()
    {
        using var scope = TensorScope.Open("test");
        var input = Input(9, golden.Floats("s9.pixel_values"), Grids("s9"));
        var features = model.VisionFeatures(input);
        var wanted = CreateOps.On(TestDevice.Device, [1L, 7L, 8L, input.Ids.Size(0) - 1]);
        var part = model.Hidden(input with { Wanted = wanted }, features);
        var whole = model.Hidden(input, features).IndexSelect(0, wanted);
        Assert.Equal(whole.Shape, part.Shape);
        Assert.True(part.Sub(whole).Abs().Max().Item() < 1e-5 * whole.Abs().Max().Item());
    }

    [Fact]
    public void Positions_equal_the_originals()
    {
        foreach (var sample in Golden.Json(TestFiles.Golden("qwen2_5_vl_tiny/forward.json")).GetProperty("first4").EnumerateArray())
        {
            var ids = sample.GetProperty("input_ids").EnumerateArray().Select(v => v.GetInt64()).ToArray();
            var grids = sample.TryGetProperty("image_grid_thw", out var g) ? g.EnumerateArray().Select(ToGrid).ToArray() : [];
            var positions = new[] { new int[ids.Length], new int[ids.Length], new int[ids.Length] };
            model.Place(ids, grids, positions, 0);
            var expected = sample.GetProperty("position_ids").EnumerateArray().Select(axis => axis.EnumerateArray().Select(v => v.GetInt32()).ToArray());
            Assert.Equal(expected, positions);
        }
    }

    [Fact]
    public void The_nested_config_of_newer_releases_means_the_same()
    {
        var nested = Qwen25VlConfig.Read(ConfigReader.Open(TestFiles.Golden("qwen2_5_vl_tiny/config.transformers5.json")));
        Assert.Equivalent(model.Config, nested, strict: true);
    }

    protected override void Cleanup()
    {
        noGrad.Dispose();
        model.Dispose();
        golden.Dispose();
    }

    private static ImageGrid ToGrid(System.Text.Json.JsonElement thw) => new(thw[0].GetInt32(), thw[1].GetInt32(), thw[2].GetInt32());

    private List<ImageGrid> Grids(string sample)
    {
        var thw = golden.Longs($"{sample}.image_grid_thw");
        return [.. thw.Chunk(3).Select(g => new ImageGrid((int)g[0], (int)g[1], (int)g[2]))];
    }

    private ModelInput Input(int sample, float[] pixels, List<ImageGrid> grids)
    {
        var json = Golden.Json(TestFiles.Golden("qwen2_5_vl_tiny/forward.json")).GetProperty("first4").EnumerateArray()
            .Single(s => s.GetProperty("index").GetInt32() == sample);
        var ids = json.GetProperty("input_ids").EnumerateArray().Select(v => v.GetInt64()).ToArray();
        var positions = new[] { new int[ids.Length], new int[ids.Length], new int[ids.Length] };
        model.Place(ids, grids.ToArray(), positions, 0);
        var slots = Enumerable.Range(0, ids.Length).Where(i => ids[i] == model.Config.ImageTokenId).Select(i => (long)i).ToArray();
        return new ModelInput
        {
            Ids = CreateOps.On(TestDevice.Device, ids),
            Positions = positions,
            Attention = new PackedAttention(new Segments([0, ids.Length])),
            Pixels = pixels.Length == 0 ? null : CreateOps.On(TestDevice.Device, pixels, pixels.Length / 1176, 1176),
            Grids = grids,
            ImageSlots = slots.Length == 0 ? null : CreateOps.On(TestDevice.Device, slots),
        };
    }
}
