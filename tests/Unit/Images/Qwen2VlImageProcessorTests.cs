using System.Runtime.InteropServices;
using System.Text.Json;
using Fovea.Data.Images;

namespace Fovea.Tests.Unit.Images;

public sealed class Qwen2VlImageProcessorTests
{
    private static readonly string Folder = TestFiles.Golden("images/qwen");

    [Theory]
    [InlineData("000_0.png", ResizeFilter.TorchBicubic, "fast")]
    [InlineData("002_0.png", ResizeFilter.TorchBicubic, "fast")]
    [InlineData("000_0.png", ResizeFilter.PillowBicubic, "pil")]
    [InlineData("002_0.png", ResizeFilter.PillowBicubic, "pil")]
    internal void Patches_are_those_of_the_reference(string name, ResizeFilter filter, string kind)
    {
        var settings = new Qwen2VlImageSettings { MinPixels = 3136, MaxPixels = 12845056 };
        var processor = new Qwen2VlImageProcessor(settings, preResize: null, filter);
        var image = ImageReader.Read(Path.Combine(Folder, name));

        var processed = processor.Process(image);

        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "expected.json")));
        var grid = json.RootElement.GetProperty(name);
        Assert.Equal(new ImageGrid(grid[0].GetInt32(), grid[1].GetInt32(), grid[2].GetInt32()), processed.Grid);
        Assert.Equal(processed.Grid, processor.GridFor(image.Width, image.Height));
        var expected = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(Folder, $"{name}.{kind}.f32")));
        Assert.Equal(expected.Length * 2, processed.Patches.Length);
        const int plane = 14 * 14;
        for (var i = 0; i < expected.Length; i++)
        {
            var first = ((i / plane * 2) * plane) + (i % plane);
            Assert.Equal(expected[i], processed.Patches[first], 1e-6f);
            Assert.Equal(processed.Patches[first], processed.Patches[first + plane]);
        }
    }

    [Fact]
    public void Grid_and_tokens_follow_from_the_size_alone()
    {
        var processor = new Qwen2VlImageProcessor(new Qwen2VlImageSettings { MaxPixels = 12845056 }, new PreResize());

        var grid = processor.GridFor(1024, 768);

        Assert.Equal(new ImageGrid(1, 48, 64), grid);
        Assert.Equal(768, grid.MergedTokens(2));
        Assert.Equal(1176, processor.PatchValues);
        Assert.Equal(grid, processor.Process(new RgbImage(1024, 768, new byte[1024 * 768 * 3])).Grid);
    }

    [Fact]
    public void Memory_of_another_length_is_refused()
    {
        var processor = new Qwen2VlImageProcessor(new Qwen2VlImageSettings());

        Assert.Throws<ArgumentException>(() => processor.ProcessInto(new RgbImage(56, 56, new byte[56 * 56 * 3]), new float[16]));
    }

    [Fact]
    public void An_extreme_ratio_is_refused_with_its_name()
    {
        var processor = new Qwen2VlImageProcessor(new Qwen2VlImageSettings());

        var error = Assert.Throws<ImageException>(() => processor.GridFor(9000, 30, "strip.png"));

        Assert.Equal("strip.png", error.File);
        Assert.Contains("200 times", error.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"min_pixels": 784, "max_pixels": 50176, "patch_size": 14}""", 784, 50176)]
    [InlineData("""{"size": {"shortest_edge": 784, "longest_edge": 50176}, "min_pixels": null, "resample": 3, "do_resize": true}""", 784, 50176)]
    [InlineData("{}", 3136, 1003520)]
    public void Both_ways_of_writing_the_limits_are_read(string json, long min, long max)
    {
        var settings = Load("preprocessor_config.json", json);

        Assert.Equal((min, max), (settings.MinPixels, settings.MaxPixels));
    }

    [Fact]
    public void The_nested_processor_config_serves_where_the_other_is_absent() =>
        Assert.Equal(777, Load("processor_config.json", """{"image_processor": {"min_pixels": 777}}""").MinPixels);

    [Fact]
    public void Everything_wrong_with_a_config_is_listed_at_once()
    {
        var json = """{"min_pixels": -1, "image_mean": [1, 2], "do_normalize": false, "resample": 2, "patch_size": "14"}""";

        var error = Assert.Throws<ConfigException>(() => Load("preprocessor_config.json", json));

        Assert.Equal(5, error.Problems.Count);
        Assert.All(error.Problems, problem => Assert.Contains("preprocessor_config.json", problem, StringComparison.Ordinal));
    }

    [Fact]
    public void A_missing_or_malformed_config_is_named()
    {
        Assert.Contains("is missing", Assert.Throws<ConfigException>(() => Qwen2VlImageProcessor.Load("/nowhere")).Message, StringComparison.Ordinal);
        Assert.Contains("not valid JSON", Assert.Throws<ConfigException>(() => Load("preprocessor_config.json", "{")).Message, StringComparison.Ordinal);
    }

    private static Qwen2VlImageSettings Load(string name, string json)
    {
        var folder = Directory.CreateTempSubdirectory("fovea-images");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, name), json);
            return Qwen2VlImageSettings.Load(folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
