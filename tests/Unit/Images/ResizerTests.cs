using System.Text.Json;
using Fovea.Data.Images;

namespace Fovea.Tests.Unit.Images;

public sealed class ResizerTests
{
    private static readonly string Folder = TestFiles.Golden("images/resize");

    public static TheoryData<string, int, int> Cases()
    {
        var data = new TheoryData<string, int, int>();
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "cases.json")));
        foreach (var item in json.RootElement.GetProperty("cases").EnumerateArray())
        {
            data.Add(item[0].GetString()!, item[1].GetInt32(), item[2].GetInt32());
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_byte_is_that_of_pillow(string filter, int width, int height)
    {
        var source = new RgbImage(61, 47, File.ReadAllBytes(Path.Combine(Folder, "source.rgb")));

        var resized = Resizer.Resize(source, width, height, Enum.Parse<ResizeFilter>("Pillow" + filter));

        Assert.Equal((width, height), (resized.Width, resized.Height));
        Assert.Equal(File.ReadAllBytes(Path.Combine(Folder, $"{filter}_{width}x{height}.rgb")), resized.Pixels);
    }

    [Theory]
    [InlineData(ResizeFilter.TorchBicubic)]
    [InlineData(ResizeFilter.PillowBicubic)]
    internal void A_plain_colour_stays_what_it_is(ResizeFilter filter)
    {
        var source = new RgbImage(50, 40, [.. Enumerable.Range(0, 50 * 40).SelectMany(_ => new byte[] { 255, 0, 77 })]);

        var resized = Resizer.Resize(source, 23, 71, filter);

        Assert.All(resized.Pixels.Chunk(3), pixel => Assert.Equal(new byte[] { 255, 0, 77 }, pixel));
    }

    [Fact]
    public void The_same_size_is_the_same_picture()
    {
        var source = new RgbImage(2, 1, [1, 2, 3, 4, 5, 6]);

        Assert.Same(source, Resizer.Resize(source, 2, 1, ResizeFilter.TorchBicubic));
    }
}
