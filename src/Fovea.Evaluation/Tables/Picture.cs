namespace Fovea.Evaluation.Tables;

/// <summary>An image of a row, and its size in pixels as it is seen, where its bytes were at hand.</summary>
internal sealed record Picture(MediaSource Source, (int Width, int Height)? Size)
{
    /// <summary>Why it cannot be asked about: its file is missing. Null where it can.</summary>
    public ConfigException? Problem { get; init; }
}
