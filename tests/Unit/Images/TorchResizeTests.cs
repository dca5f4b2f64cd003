using Fovea.Data.Images;

namespace Fovea.Tests.Unit.Images;

public sealed class TorchResizeTests : NativeTest
{
    private static readonly Operator Bicubic = new("aten::_upsample_bicubic2d_aa");

    [Theory]
    [InlineData(138, 94, 140, 84)]
    [InlineData(640, 480, 644, 476)]
    [InlineData(300, 168, 308, 168)]
    [InlineData(61, 150, 56, 140)]
    [InlineData(500, 333, 112, 84)]
    [InlineData(33, 17, 168, 84)]
    [InlineData(700, 40, 28, 280)]
    [InlineData(3, 5, 56, 84)]
    public void Every_byte_is_that_of_libtorch(int width, int height, int newWidth, int newHeight)
    {
        var pixels = new byte[width * height * 3];
        new Random(width * height).NextBytes(pixels);
        using var scope = TensorScope.Open("test");
        var tensor = CreateOps.From(pixels, height, width, 3).Permute(2, 0, 1).Unsqueeze(0);
        var reference = Bicubic.Call(tensor, (long[])[newHeight, newWidth], false, Arg.None, Arg.None).Squeeze(0).Permute(1, 2, 0).Contiguous();

        var resized = Resizer.Resize(new RgbImage(width, height, pixels), newWidth, newHeight, ResizeFilter.TorchBicubic);

        Assert.Equal(reference.ToArray<byte>(), resized.Pixels);
    }
}
