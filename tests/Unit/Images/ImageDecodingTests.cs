using System.Text.Json;
using Fovea.Data.Images;

namespace Fovea.Tests.Unit.Images;

public sealed class ImageDecodingTests
{
    private static readonly string Folder = TestFiles.Golden("images/decode");

    public static TheoryData<string> Files()
    {
        var data = new TheoryData<string>();
        foreach (var (name, _) in Expected())
        {
            data.Add(name);
        }

        return data;
    }

    public static TheoryData<string> OrientedFiles()
    {
        var data = new TheoryData<string>();
        foreach (var file in Directory.EnumerateFiles(Folder, "*.upright.rgb"))
        {
            data.Add(Path.GetFileName(file).Replace(".upright.rgb", string.Empty, StringComparison.Ordinal));
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Pixels_are_those_of_pil(string name)
    {
        var (width, height, indexed) = Expected()[name];
        var image = ImageReader.Read(Path.Combine(Folder, name), ExifOrientation.Ignore);

        Assert.Equal((width, height, indexed), (image.Width, image.Height, image.Indexed));
        Assert.Equal(File.ReadAllBytes(Path.Combine(Folder, name + ".rgb")), image.Pixels);
        Assert.Equal((width, height), ImageReader.ReadSize(Path.Combine(Folder, name), ExifOrientation.Ignore));
    }

    [Theory]
    [MemberData(nameof(OrientedFiles))]
    public void Orientation_is_applied_to_pixels_and_size_alike(string name)
    {
        var path = Path.Combine(Folder, name);
        var image = ImageReader.Read(path);

        Assert.Equal(File.ReadAllBytes(path + ".upright.rgb"), image.Pixels);
        Assert.Equal((image.Width, image.Height), ImageReader.ReadSize(path));
        Assert.Equal(name[4] >= '5' ? (29, 37) : (37, 29), (image.Width, image.Height));
    }

    [Fact]
    public void There_are_nine_or_more_oriented_files() => Assert.InRange(OrientedFiles().Count, 9, 100);

    [Fact]
    public void Bytes_read_like_files()
    {
        var path = Path.Combine(Folder, "rgb.jpg");
        var bytes = File.ReadAllBytes(path);

        Assert.Equal(ImageReader.Read(path).Pixels, ImageReader.Decode(bytes, "row 1").Pixels);
        Assert.Equal((37, 29), ImageReader.ReadSize(MediaSource.FromBytes(bytes, "row 1")));
    }

    [Fact]
    public void A_crop_keeps_its_rectangle()
    {
        var image = new RgbImage(3, 2, [.. Enumerable.Range(0, 18).Select(value => (byte)value)]);

        Assert.Equal([6, 7, 8, 15, 16, 17], image.Crop(2, 0, 1, 2).Pixels);
        Assert.Throws<ArgumentException>(() => image.Crop(2, 0, 2, 2));
    }

    private static Dictionary<string, (int Width, int Height, bool Indexed)> Expected()
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "expected.json")));
        return json.RootElement.EnumerateObject().ToDictionary(
            file => file.Name,
            file => (file.Value[0].GetInt32(), file.Value[1].GetInt32(), file.Value[2].GetBoolean()));
    }
}
