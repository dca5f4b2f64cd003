using Fovea.Data.Images;

namespace Fovea.Tests.Unit.Images;

public sealed class PreResizeTests
{
    [Theory]
    [InlineData(300, 168, 300, 168)]
    [InlineData(768, 768, 768, 768)]
    [InlineData(1024, 768, 886, 665)]
    [InlineData(1920, 1080, 1024, 576)]
    [InlineData(20, 20, 32, 32)]
    [InlineData(100, 15, 100, 28)]
    [InlineData(8000, 30, 5400, 30)]
    [InlineData(30, 8000, 30, 5400)]
    [InlineData(1, 2000, 28, 2000)]
    [InlineData(6000, 1, 5040, 28)]
    public void Sizes_follow_the_reference_rules(int width, int height, int newWidth, int newHeight) =>
        Assert.Equal((newWidth, newHeight), new PreResize().SizeFor(width, height));

    [Fact]
    public void The_picture_gets_the_size_that_was_foretold()
    {
        var rule = new PreResize(MaxPixels: 2000, MinPixels: 900);
        foreach (var (width, height) in new[] { (90, 40), (10, 12), (400, 3), (44, 45) })
        {
            var resized = rule.Apply(new RgbImage(width, height, new byte[width * height * 3]));
            Assert.Equal(rule.SizeFor(width, height), (resized.Width, resized.Height));
            Assert.Equal(resized.Width * resized.Height * 3, resized.Pixels.Length);
        }
    }

    public static TheoryData<string> Goldens()
    {
        var data = new TheoryData<string>();
        foreach (var file in Directory.EnumerateFiles(TestFiles.Golden("images/preresize")))
        {
            data.Add(Path.GetFileName(file));
        }

        return data;
    }

    /// <summary>Golden files are named SOURCE.KIND_WIDTHxHEIGHT.rgb.</summary>
    [Theory]
    [MemberData(nameof(Goldens))]
    public void Every_mode_of_pil_is_resized_as_pil_resizes_it(string golden)
    {
        var parts = golden.Split('.');
        var rule = parts[2].StartsWith("shrunk", StringComparison.Ordinal) ? new PreResize(900, 1) : new PreResize(100000, 3000);
        var image = ImageReader.Read(TestFiles.Golden($"images/decode/{parts[0]}.{parts[1]}"));

        var resized = rule.Apply(image);

        Assert.EndsWith($"_{resized.Width}x{resized.Height}", parts[2], StringComparison.Ordinal);
        Assert.Equal(File.ReadAllBytes(TestFiles.Golden($"images/preresize/{golden}")), resized.Pixels);
    }

    [Fact]
    public void There_are_goldens_for_each_mode() => Assert.Equal(16, Goldens().Count);

    [Fact]
    public void Palette_pictures_shrink_by_nearest_neighbour_as_pil_does()
    {
        var stripes = new byte[80 * 80 * 3];
        for (var i = 0; i < stripes.Length; i++)
        {
            stripes[i] = (byte)(i / 3 % 2 * 255);
        }

        var rule = new PreResize(MaxPixels: 3000);
        var indexed = rule.Apply(new RgbImage(80, 80, stripes) { Indexed = true });
        var smooth = rule.Apply(new RgbImage(80, 80, stripes));

        Assert.All(indexed.Pixels, value => Assert.True(value is 0 or 255));
        Assert.Contains(smooth.Pixels, value => value is not (0 or 255));
    }
}
