using System.Runtime.InteropServices;
using Fovea.Data.Images;
using Fovea.Files.Safetensors;

namespace Fovea.Tests.Unit.Images;

/// <summary>All pictures of the reference run, where it lies beside the checkout.</summary>
public sealed class Qwen2VlReferenceTests
{
    private const string Shared = "golden/qwen2_5_vl_tiny";

    [Theory]
    [InlineData("s0", "000_0")]
    [InlineData("s1", "001_0")]
    [InlineData("s2", "002_0")]
    [InlineData("s9", "009_0", "009_1")]
    [InlineData("mixed", "000_0", "009_0", "009_1")]
    public void Pixel_values_equal_the_reference(string sample, params string[] images)
    {
        var folder = TestFiles.Shared(Shared) ?? TestFiles.SkipMissing(Shared);
        var processor = Qwen2VlImageProcessor.Load(Path.Combine(folder, "model"), new PreResize());
        using var file = SafetensorsFile.Open(Path.Combine(folder, "forward.safetensors"));
        var expected = MemoryMarshal.Cast<byte, float>(file.Entries.Single(entry => entry.Name == sample + ".pixel_values").Span);

        var at = 0;
        foreach (var name in images)
        {
            foreach (var value in processor.Process(ImageReader.Read(Path.Combine(folder, "data", "images", name + ".png"))).Patches)
            {
                Assert.Equal(expected[at++], value, 1e-6f);
            }
        }

        Assert.Equal(expected.Length, at);
    }
}
