namespace Fovea.Evaluation.Report;

/// <summary>A small copy of a picture.</summary>
/// <param name="Uri">A data URI; null where the picture cannot be read.</param>
/// <param name="Problem">Why it cannot be read, in words that follow its name.</param>
internal sealed record Thumbnail(string? Uri, int Width, int Height, string? Problem)
{
    public static Thumbnail Unreadable { get; } = new(null, 0, 0, "is no picture that can be read");
}
