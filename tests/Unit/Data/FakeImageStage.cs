using System.Text;
using Fovea.Data.Images;
using Fovea.Data.Templates;

namespace Fovea.Tests.Unit.Data;

/// <summary>Images that are text files "H W", or "bad": patches of 3 values, all the image's number of patches. Counts what it decodes.</summary>
internal sealed class FakeImageStage : IImageStage
{
    private int loaded;

    public int PatchLength => 3;

    public string Identity => "fake";

    internal int Loaded => loaded;

    public ImageGrid GridOf(MediaSource image)
    {
        var words = Text(image).Split(' ');
        return words.Length >= 2 ? new ImageGrid(1, int.Parse(words[0]), int.Parse(words[1])) : throw new ImageException(image.Name, "cannot be read");
    }

    public int TokensOf(ImageGrid grid) => grid.MergedTokens(2);

    public void Load(MediaSource image, ImageGrid grid, Span<float> patches)
    {
        Interlocked.Increment(ref loaded);
        if (Text(image).EndsWith("torn", StringComparison.Ordinal))
        {
            throw new ImageException(image.Name, "ends too early");
        }

        patches[..(grid.Patches * PatchLength)].Fill(grid.Patches);
    }

    private static string Text(MediaSource image) => Encoding.UTF8.GetString(image.ReadBytes());
}
