using Fovea.Data.Images;
using Fovea.Evaluation.Report;

namespace Fovea.Tests.Unit.Evaluation;

public sealed class ThumbnailsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void A_thumbnail_is_upright_and_no_larger_than_asked(int orientation)
    {
        var source = MediaSource.FromFile(TestFiles.Golden($"images/decode/exif{orientation}.jpg"));
        var whole = ImageReader.Read(source);
        var side = Math.Max(8, Math.Max(whole.Width, whole.Height) / 2);
        var small = new Thumbnails(side).Of(source);
        Assert.Equal(side, Math.Max(small.Width, small.Height));
        Assert.Equal(whole.Width > whole.Height, small.Width > small.Height);
        small = new Thumbnails(160).Of(source);
        var shown = ImageReader.Decode(Convert.FromBase64String(small.Uri!.Split(',')[1]), "thumbnail");
        Assert.Equal((small.Width, small.Height), (shown.Width, shown.Height));
        Assert.All([(0, 0), (0, 1), (1, 0), (1, 1)], quarter => Assert.All(
            Mean(whole, quarter).Zip(Mean(shown, quarter)), means => Assert.InRange(means.First - means.Second, -14, 14)));
    }

    [Theory]
    [InlineData("truncated.jpg", true)]
    [InlineData("text.jpg", false)]
    [InlineData("empty.jpg", false)]
    public void A_damaged_picture_is_shown_as_far_as_it_goes_or_named(string name, bool shown)
    {
        var small = new Thumbnails(160).Of(MediaSource.FromFile(TestFiles.Golden($"images/broken/{name}")));
        Assert.Equal(shown, small.Uri is not null);
        Assert.Equal(shown, small.Problem is null);
    }

    [Fact]
    public void A_small_picture_keeps_its_size()
    {
        var small = new Thumbnails(5000).Of(MediaSource.FromFile(TestFiles.Golden("images/decode/exif1.jpg")));
        var (width, height) = ImageReader.ReadSize(MediaSource.FromFile(TestFiles.Golden("images/decode/exif1.jpg")));
        Assert.Equal((width, height), (small.Width, small.Height));
    }

    private static double[] Mean(RgbImage image, (int X, int Y) quarter)
    {
        var sums = new double[3];
        var (width, height) = (image.Width / 2, image.Height / 2);
        for (var y = quarter.Y * height; y < (quarter.Y + 1) * height; y++)
        {
            for (var x = quarter.X * width; x < (quarter.X + 1) * width; x++)
            {
                for (var channel = 0; channel < 3; channel++)
                {
                    sums[channel] += image.Pixels[(((y * image.Width) + x) * 3) + channel] / (double)(width * height);
                }
            }
        }

        return sums;
    }
}
