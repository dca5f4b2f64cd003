using System.Text.Json;
using Fovea.Data.Images;
using Fovea.Models;
using Fovea.Models.Qwen3Vl;
using Fovea.Nn;

namespace Fovea.Tests.Parity.Qwen3VlMoe;

/// <summary>The model against the original code on the same random weights, fp32 (tests/goldens/qwen3_vl_moe/README.md).</summary>
public sealed class ForwardTests : NativeTest
{
    private const double Tolerance = 2e-5;
    private static readonly string Folder = TestFiles.Golden("qwen3_vl_moe/model");
    private static readonly JsonElement Samples = Golden.Json(TestFiles.Golden("qwen3_vl_moe/forward.json")).GetProperty("samples");
    private readonly Golden golden = new(TestFiles.Golden("qwen3_vl_moe/forward.safetensors"));
    private readonly Qwen3VlModel model;
    private readonly IMediaProcessor images;
    private readonly GradScope noGrad;

    public ForwardTests()
    {
        var source = ModelSource.Open(Folder);
        model = (Qwen3VlModel)source.Load(new ModelOptions { Device = TestDevice.Device });
        images = source.Process().Images;
        noGrad = Autograd.NoGrad();
    }

    [Fact]
    public void Every_stage_of_the_vision_tower_agrees()
    {
        using var scope = TensorScope.Open("test");
        var (pixels, grids) = Pictures("one");
        var seen = 0;
        var tower = model.Vision.Encode(On(pixels), grids, (what, x) =>
        {
            golden.Near($"one.vis.{what}", x, Tolerance);
            seen++;
        });
        golden.Near("one.vis.merger", model.Vision.Merge(tower.Embeddings), Tolerance);
        Assert.Equal(2 + 4 + 3, seen);
    }

    [Fact]
    public void Routers_choose_the_same_experts_and_every_layer_agrees()
    {
        using var scope = TensorScope.Open("test");
        var input = Input("one");
        var features = model.VisionFeatures(input)!;
        var compared = 0;
        var hidden = model.Language.Forward(input, features, inside: (what, x) =>
        {
            compared++;
            var name = $"one.{what.Replace("mlp_out", "moe_out")}";
            if (what.EndsWith("experts", StringComparison.Ordinal))
            {
                Assert.Equal(golden.Longs(name), x.ToArray<long>());
            }
            else
            {
                golden.Near(name, x, Tolerance);
            }
        });
        Assert.Equal(4 * 5, compared);
        golden.Near("one.hidden_norm", hidden, Tolerance);
    }

    [Theory]
    [InlineData("one")]
    [InlineData("two")]
    [InlineData("resized")]
    [InlineData("text")]
    [InlineData("turns")]
    [InlineData("long")]
    public void Logits_and_the_loss_of_every_token_agree(string sample)
    {
        using var scope = TensorScope.Open("test");
        var json = Samples.GetProperty(sample);
        var input = Input(sample);
        var logits = model.Hidden(input, model.VisionFeatures(input)).Linear(model.Head.Use());
        var rows = golden.Longs($"{sample}.logits_rows");
        if (golden.Names.Contains($"{sample}.logits"))
        {
            golden.Near($"{sample}.logits", logits.IndexSelect(0, CreateOps.On(TestDevice.Device, rows)), Tolerance);
        }

        var values = logits.To(DType.F32).ToArray<float>();
        var (width, ids) = ((int)logits.Size(1), Ids(sample));
        double SumExp(int row) => values.AsSpan(row * width, width).ToArray().Sum(value => Math.Exp(value));
        Golden.Near("logsumexp", golden.Floats($"{sample}.logsumexp"), [.. ids.Select((_, row) => (float)Math.Log(SumExp(row)))], Tolerance);
        var losses = rows.Select(row => (float)(Math.Log(SumExp((int)row)) - values[(row * width) + ids[row + 1]])).ToArray();
        Golden.Near("losses", [.. json.GetProperty("nll").EnumerateArray().Select(value => value.GetSingle())], losses, 2 * Tolerance);
    }

    [Fact]
    public void Positions_equal_the_originals()
    {
        foreach (var sample in Samples.EnumerateObject())
        {
            var ids = Ids(sample.Name);
            var positions = new[] { new int[ids.Length], new int[ids.Length], new int[ids.Length] };
            var next = model.PlacePrompt(ids, [.. Pictures(sample.Name).Grids], positions);
            var expected = sample.Value.GetProperty("position_ids").EnumerateArray().Select(axis => axis.EnumerateArray().Select(v => v.GetInt32()).ToArray());
            Assert.Equal(expected, positions);
            Assert.Equal(ids.Length + sample.Value.GetProperty("rope_delta").GetInt32(), next);
        }
    }

    [Fact]
    public void The_config_of_Transformers_5_means_the_same()
    {
        var nested = Qwen3VlConfig.Read(ConfigReader.Open(TestFiles.Golden("qwen3_vl_moe/config.transformers5.json")));
        Assert.Equivalent(model.Config, nested, strict: true);
    }

    protected override void Cleanup()
    {
        noGrad.Dispose();
        model.Dispose();
        golden.Dispose();
    }

    private static long[] Ids(string sample) => [.. Samples.GetProperty(sample).GetProperty("input_ids").EnumerateArray().Select(id => id.GetInt64())];

    private static string[] Names(string sample) => sample switch
    {
        "text" or "long" => [],
        "two" => ["two_0", "two_1"],
        _ => [sample],
    };

    private Tensor On(float[] pixels) => CreateOps.On(TestDevice.Device, pixels, pixels.Length / images.PatchLength, images.PatchLength);

    private ProcessedMedia Picture(string name) => images.Process(MediaSource.FromFile(TestFiles.Golden($"qwen3_vl_moe/data/images/{name}.png")));

    private (float[] Pixels, IReadOnlyList<ImageGrid> Grids) Pictures(string sample)
    {
        var pictures = Names(sample).Select(name => Picture(name).Parts[0]).ToList();
        return ([.. pictures.SelectMany(picture => picture.Patches)], [.. pictures.Select(picture => picture.Grid)]);
    }

    private ModelInput Input(string sample)
    {
        var ids = Ids(sample);
        var (at, prompt) = (0, new List<PromptImage>());
        foreach (var name in Names(sample))
        {
            var media = Picture(name);
            at = Array.IndexOf(ids, model.Config.ImageTokenId, at);
            prompt.Add(new PromptImage(media.Parts[0], at, media.Plan.Tokens[0]));
            at += media.Plan.Tokens[0];
        }

        return model.PreparePrompt(ids, prompt, 0, new PackedAttention(new Segments([0, ids.Length])), out _);
    }
}
