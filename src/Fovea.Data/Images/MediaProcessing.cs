namespace Fovea.Data.Images;

/// <summary>What every <see cref="IMediaProcessor"/> can do with its two methods.</summary>
internal static class MediaProcessing
{
    /// <summary>What becomes of a picture; reads its header.</summary>
    public static MediaPlan Plan(this IMediaProcessor processor, MediaSource source) => processor.Plan(ImageReader.ReadHeader(source));

    /// <summary>A picture with all its parts, in memory of their own.</summary>
    public static ProcessedMedia Process(this IMediaProcessor processor, MediaSource source)
    {
        var content = new MediaContent(source);
        var plan = processor.Plan(content.Header());
        var parts = plan.Parts.Select(grid => new ProcessedImage(grid, new float[grid.Patches * processor.PatchLength])).ToArray();
        processor.Process(plan, content, Array.ConvertAll(parts, part => part.Patches.AsMemory()));
        return new ProcessedMedia(plan, parts);
    }

    /// <summary>The error of a picture whose pixels are not what its header said.</summary>
    public static ImageException HeaderMisleads(this MediaContent content) =>
        new(content.Source.Name, "its header promises another size than it has");
}
