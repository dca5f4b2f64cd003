using Fovea.Data.Images;

namespace Fovea.Data.Templates;

/// <summary>Images for Qwen2-VL and Qwen2.5-VL.</summary>
public sealed class Qwen2VlImageStage(Qwen2VlImageProcessor processor) : IImageStage
{
    public int PatchLength => processor.PatchValues;

    public string Identity => $"qwen2vl/1 {processor.Settings.Identity} {processor.PreResize} {processor.Filter}";

    public ImageGrid GridOf(MediaSource image)
    {
        var (width, height) = image.ReadSize();
        return processor.GridFor(width, height, image.Name);
    }

    public int TokensOf(ImageGrid grid) => grid.MergedTokens(processor.Settings.MergeSize);

    public void Load(MediaSource source, ImageGrid grid, Span<float> patches)
    {
        var image = source.Read();
        if (processor.GridFor(image.Width, image.Height, source.Name) != grid)
        {
            throw new ImageException(source.Name, "its header promises another size than it has");
        }

        processor.ProcessInto(image, patches, source.Name);
    }
}
