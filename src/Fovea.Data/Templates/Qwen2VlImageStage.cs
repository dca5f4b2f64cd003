using Fovea.Data.Images;

namespace Fovea.Data.Templates;

/// <summary>Image files for Qwen2-VL and Qwen2.5-VL.</summary>
public sealed class Qwen2VlImageStage(Qwen2VlImageProcessor processor) : IImageStage
{
    public int PatchLength => processor.PatchValues;

    public string Identity => $"qwen2vl/1 {processor.Settings.Identity} {processor.PreResize} {processor.Filter}";

    public ImageGrid GridOf(string path)
    {
        var (width, height) = ImageReader.ReadSize(path);
        return processor.GridFor(width, height, path);
    }

    public int TokensOf(ImageGrid grid) => grid.MergedTokens(processor.Settings.MergeSize);

    public void Load(string path, ImageGrid grid, Span<float> patches)
    {
        var image = ImageReader.Read(path);
        if (processor.GridFor(image.Width, image.Height, path) != grid)
        {
            throw new ImageException(path, "its header promises another size than it has");
        }

        processor.ProcessInto(image, patches, path);
    }
}
