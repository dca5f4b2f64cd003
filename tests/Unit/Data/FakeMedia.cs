using Fovea.Cli.Demo;
using Fovea.Data.Images;

namespace Fovea.Tests.Unit.Data;

/// <summary>A pixel is a patch of 3 values, all the picture's number of patches. Counts what it decodes; pictures that end in "torn" cannot be.</summary>
internal sealed class FakeMedia : IMediaProcessor
{
    private int loaded;

    public int PatchLength => 3;

    public string Identity => "fake";

    internal int Loaded => loaded;

    internal static byte[] Picture(int height, int width, bool torn = false) =>
        [.. PngWriter.Encode(width, height, new byte[3 * width * height]), .. torn ? "torn"u8 : []];

    public MediaPlan Plan(MediaHeader header)
    {
        var grid = new ImageGrid(1, header.Height, header.Width);
        return MediaPlan.One(grid, grid.MergedTokens(2));
    }

    public void Process(MediaPlan plan, MediaContent content, ReadOnlySpan<Memory<float>> parts)
    {
        Interlocked.Increment(ref loaded);
        if (content.Bytes.AsSpan().EndsWith("torn"u8))
        {
            throw new ImageException(content.Source.Name, "ends too early");
        }

        parts[0].Span.Fill(plan.Parts[0].Patches);
    }
}
