using Fovea.Cli.Demo;
using Fovea.Data.Images;

namespace Fovea.Tests.Unit.Images;

public sealed class PngWriterTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(37, 29)]
    [InlineData(300, 2)]
    public void What_is_written_reads_back(int width, int height)
    {
        var rgb = new byte[width * height * 3];
        new Random(3).NextBytes(rgb);

        var image = ImageReader.Decode(PngWriter.Encode(width, height, rgb), "chart");

        Assert.Equal((width, height), (image.Width, image.Height));
        Assert.Equal(rgb, image.Pixels);
    }

    [Fact]
    public void A_buffer_of_another_length_is_refused() => Assert.Throws<ArgumentException>(() => PngWriter.Encode(2, 2, new byte[11]));
}
