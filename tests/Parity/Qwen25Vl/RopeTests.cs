using System.Text.Json;
using Fovea.Data.Images;
using Fovea.Models;
using Fovea.Models.Grids;
using Fovea.Models.Qwen25Vl;
using Fovea.Nn;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>YaRN and linear scaling of the rotary embedding against Transformers 5.12 (tests/goldens/qwen2_5_vl_rope/make.py), in both spellings.</summary>
public sealed class RopeTests : NativeTest
{
    private static readonly JsonElement Known = Golden.Json(TestFiles.Golden("qwen2_5_vl_rope/cases.json"));

    public static TheoryData<string> Cases => [.. Known.EnumerateObject().Select(c => c.Name)];

    public static TheoryData<string> Computed => [.. Known.EnumerateObject().Select(c => c.Name).Where(name => name != "readme_7b")];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Frequencies_and_the_factor_on_cosines_and_sines_are_those_of_Transformers(string name)
    {
        using var folder = Folder(name);
        var config = Qwen25VlConfig.Read(ConfigReader.Open(Families.ConfigPath(folder.Path)));
        Assert.Equal(Known.GetProperty(name).GetProperty("attention_scaling").GetDouble(), config.Rope.Scale, 1e-15);
        float[] expected = [.. Known.GetProperty(name).GetProperty("inv_freq").EnumerateArray().Select(v => (float)v.GetDouble())];
        var actual = config.Rope.Frequencies(config.HeadSize);
        Assert.Equal(expected.Length, actual.Length);

        // PyTorch's own power is vectorised and may round the last of 24 bits otherwise.
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, pair.First * 2.5e-7));
    }

    [Theory]
    [MemberData(nameof(Computed))]
    public void Logits_of_text_and_an_image_agree(string name)
    {
        using var folder = Folder(name);
        using var golden = new Golden(TestFiles.Golden("qwen2_5_vl_rope/logits.safetensors"));
        using var model = (Qwen25VlModel)ModelSource.Open(folder.Path).Load(new ModelOptions { Device = TestDevice.Device });
        using var noGrad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        var input = Input(model.Config, wanted: [10, 60, 120, 305]);
        var logits = model.Hidden(input, model.VisionFeatures(input)).Linear(model.Head.Use()).Slice(1, 0, 256).Contiguous();
        golden.Near(name, logits, 1e-4);
        if (name != "default")
        {
            var apart = golden.Floats("default").Zip(golden.Floats(name), (a, b) => Math.Abs(a - b)).Max();
            Assert.True(apart > 1, $"{name} computes almost the same as without scaling: {apart}");
        }
    }

    [Theory]
    [InlineData("""{ "type": "dynamic", "factor": 2.0, "mrope_section": [4, 6, 6] }""", "rope_scaling.type must be default, linear, yarn; dynamic goes by")]
    [InlineData("""{ "rope_type": "llama3", "factor": 2.0, "mrope_section": [4, 6, 6] }""", "rope_scaling.rope_type must be default, linear, yarn; others")]
    [InlineData("""{ "rope_type": "yarn", "type": "linear", "factor": 2.0, "mrope_section": [4, 6, 6] }""", "type must be what rope_type says (yarn)")]
    [InlineData("""{ "type": "mrope", "factor": 2.0, "mrope_section": [4, 6, 6] }""", "factor: it belongs to linear and yarn, and the rope_type is default")]
    [InlineData("""{ "type": "linear", "factor": 0.5, "mrope_section": [4, 6, 6] }""", "rope_scaling.factor must be at least 1")]
    [InlineData("""{ "type": "linear", "mrope_section": [4, 6, 6] }""", "rope_scaling.factor must be a number and is missing")]
    [InlineData("""{ "type": "mrope", "rope_theta": 5.0, "mrope_section": [4, 6, 6] }""", "rope_scaling.rope_theta must be rope_theta, which is 1000000")]
    [InlineData("""{ "type": "mrope", "mrope_interleaved": true, "mrope_section": [4, 6, 6] }""", "rope_scaling.mrope_interleaved: nothing reads it")]
    public void What_is_not_computed_is_refused_by_name(string scaling, string error)
    {
        using var folder = new ConfigFolder("qwen2_5_vl_tiny/model");
        folder.Set("rope_scaling", scaling);
        var thrown = Assert.Throws<ConfigException>(() => Qwen25VlConfig.Read(ConfigReader.Open(Families.ConfigPath(folder.Path))));
        Assert.Contains(error, thrown.Message);
    }

    private static ConfigFolder Folder(string name)
    {
        var folder = new ConfigFolder("qwen2_5_vl_tiny/model");
        File.WriteAllText(Families.ConfigPath(folder.Path), Known.GetProperty(name).GetProperty("config").GetRawText());
        return folder;
    }

    /// <summary>As make.py's sample().</summary>
    private static ModelInput Input(Qwen25VlConfig config, long[] wanted)
    {
        long[] ids =
        [
            .. Enumerable.Range(0, 40).Select(i => ((i * 53L) + 7) % 1900), 1987, .. Enumerable.Repeat((long)config.ImageTokenId, 24), 1988,
            .. Enumerable.Range(0, 240).Select(i => ((i * 31L) + 11) % 1900),
        ];
        ImageGrid[] grids = [new(1, 8, 12)];
        var positions = new[] { new int[ids.Length], new int[ids.Length], new int[ids.Length] };
        MultimodalRotary.Place(ids, grids, config.ImageTokenId, config.Vision.MergeSize, positions, 0);
        float[] pixels = [.. Enumerable.Range(0, 96 * 1176).Select(i => (i * 37 % 101 / 50f) - 1)];
        return new ModelInput
        {
            Ids = CreateOps.On(TestDevice.Device, ids),
            Positions = positions,
            Attention = new PackedAttention(new Segments([0, ids.Length])),
            Pixels = CreateOps.On(TestDevice.Device, pixels, 96, 1176),
            Grids = grids,
            ImageSlots = CreateOps.On(TestDevice.Device, [.. Enumerable.Range(41, 24).Select(i => (long)i)]),
            Wanted = CreateOps.On(TestDevice.Device, wanted),
        };
    }
}
