using Fovea.Data.Images;

namespace Fovea.Tests.Unit.Images;

public sealed class BrokenImageTests
{
    private static readonly string Folder = TestFiles.Golden("images/broken");

    [Theory]
    [InlineData("empty.jpg", "empty")]
    [InlineData("truncated.jpg", "truncated")]
    [InlineData("truncated_progressive.jpg", "truncated")]
    [InlineData("header_only.jpg", "truncated")]
    [InlineData("truncated.png", "truncated")]
    [InlineData("truncated.webp", "truncated")]
    [InlineData("truncated.gif", "truncated")]
    [InlineData("corrupt.png", "corrupt")]
    [InlineData("cut_exif.jpg", "truncated")]
    [InlineData("text.jpg", "looks like HTML")]
    [InlineData("noise.png", "not a JPEG, PNG, WebP or GIF")]
    [InlineData("zero.png", "no pixels (0 x 5)")]
    [InlineData("huge.png", "20000 x 20000")]
    [InlineData("long.png", "truncated")]
    [InlineData("grey16.png", "16 bits")]
    [InlineData("absent.png", "no such file")]
    [InlineData(".", "is a folder")]
    public void A_picture_that_cannot_be_used_is_refused_with_file_and_reason(string name, string reason)
    {
        var path = Path.Combine(Folder, name);

        var error = Assert.Throws<ImageException>(() => ImageReader.Read(path));

        Assert.Equal(path, error.File);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("rgb.jpg")]
    [InlineData("rgb422_progressive.jpg")]
    [InlineData("cmyk.jpg")]
    [InlineData("exif6.jpg")]
    [InlineData("palette.png")]
    [InlineData("exif6.png")]
    [InlineData("lossy_alpha.webp")]
    [InlineData("lossless.webp")]
    [InlineData("animated.webp")]
    [InlineData("animated.gif")]
    [InlineData("interlaced.gif")]
    [Trait("Category", "Long")]
    public void Every_cut_and_every_flipped_byte_gives_a_picture_or_a_named_error(string name)
    {
        var whole = File.ReadAllBytes(TestFiles.Golden($"images/decode/{name}"));
        var refused = 0;
        for (var at = 0; at < whole.Length; at++)
        {
            var flipped = whole.ToArray();
            flipped[at] ^= 0x5A;
            refused += IsRefused(whole[..at]) + IsRefused(flipped);
        }

        Assert.InRange(refused, whole.Length / 2, whole.Length * 2);
    }

    [Fact]
    public void A_half_file_is_never_taken_for_a_whole_one()
    {
        foreach (var name in new[] { "rgb.jpg", "grey.jpg", "rgb422_progressive.jpg", "rgb.png", "lossy.webp", "lossless.webp", "rgb.gif" })
        {
            var whole = File.ReadAllBytes(TestFiles.Golden($"images/decode/{name}"));
            Assert.Equal(1, IsRefused(whole[..(whole.Length / 2)]));
            Assert.Equal(1, IsRefused(whole[..(whole.Length * 9 / 10)]));
        }
    }

    private static int IsRefused(byte[] bytes)
    {
        try
        {
            var image = ImageReader.Decode(bytes, "bytes");
            Assert.Equal(image.Width * image.Height * 3, image.Pixels.Length);
            return 0;
        }
        catch (ImageException)
        {
            return 1;
        }
    }
}
