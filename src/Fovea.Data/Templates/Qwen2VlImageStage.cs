using Fovea.Data.Images;

namespace Fovea.Data.Templates;

/// <summary>Image files for Qwen2-VL and Qwen2.5-VL.</summary>
public sealed class Qwen2VlImageStage(Qwen2VlImageProcessor processor) : IImageStage
{
    public int PatchLength => processor.PatchValues;

    public ImageGrid GridOf(string path)
    {
        var (width, height) = ImageReader.ReadSize(path);
        return processor.GridFor(width, height, path);
    }

    public int TokensOf(ImageGrid grid) => grid.MergedTokens(processor.Settings.MergeSize);

    public ProcessedImage Load(string path) => processor.Process(ImageReader.Read(path), path);
}
