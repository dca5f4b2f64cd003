using Fovea.Data.Images;

namespace Fovea.Tests.Unit.Images;

public sealed class SmartResizeTests
{
    [Theory]
    [InlineData(480, 640, 476, 644)]
    [InlineData(768, 1024, 756, 1036)]
    [InlineData(42, 70, 56, 56)]
    [InlineData(14, 14, 56, 56)]
    [InlineData(1080, 1920, 1092, 1932)]
    [InlineData(4000, 6000, 2912, 4368)]
    [InlineData(100, 1000, 112, 1008)]
    public void Published_limits_give_the_known_sizes(int height, int width, int newHeight, int newWidth) =>
        Assert.Equal((newWidth, newHeight), SmartResize.SizeFor(width, height, 28, 3136, 12845056));

    [Theory]
    [InlineData(768, 1024, 644, 868)]
    [InlineData(1080, 1920, 560, 1008)]
    [InlineData(4000, 6000, 616, 924)]
    public void A_smaller_limit_gives_the_known_sizes(int height, int width, int newHeight, int newWidth) =>
        Assert.Equal((newWidth, newHeight), SmartResize.SizeFor(width, height, 28, 3136, 589824));

    [Fact]
    public void Ratios_beyond_200_are_refused()
    {
        Assert.Equal((5600, 28), SmartResize.SizeFor(5600, 28, 28, 3136, 12845056));
        var error = Assert.Throws<ArgumentException>(() => SmartResize.SizeFor(5601, 28, 28, 3136, 12845056));
        Assert.Contains("200 times", error.Message, StringComparison.Ordinal);
    }
}
