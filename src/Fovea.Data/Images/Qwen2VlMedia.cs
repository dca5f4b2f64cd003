namespace Fovea.Data.Images;

/// <summary>Pictures for Qwen2-VL and Qwen2.5-VL: each is one part.</summary>
internal sealed class Qwen2VlMedia(Qwen2VlImageProcessor processor) : IMediaProcessor
{
    public int PatchLength => processor.PatchValues;

    public string Identity => $"qwen2vl/1 {processor.Settings.Identity} {processor.PreResize} {processor.Filter}";

    public MediaPlan Plan(MediaHeader header)
    {
        var grid = processor.GridFor(header.Upright.Width, header.Upright.Height, header.Name);
        var patch = processor.Settings.PatchSize;
        return MediaPlan.One(grid, grid.MergedTokens(processor.Settings.MergeSize)) with { Seen = (grid.W * patch, grid.H * patch) };
    }

    public void Process(MediaPlan plan, MediaContent content, ReadOnlySpan<Memory<float>> parts)
    {
        if (parts[0].IsEmpty)
        {
            return;
        }

        var image = content.Decode();
        if (processor.GridFor(image.Width, image.Height, content.Source.Name) != plan.Parts[0])
        {
            throw content.HeaderMisleads();
        }

        processor.ProcessInto(image, parts[0].Span, content.Source.Name);
    }
}
