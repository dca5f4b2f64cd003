namespace Fovea.Data.Datasets;

/// <summary>A stretch of a sample, as text or as ids, that is trained throughout, or not at all.</summary>
internal sealed record ExampleSpan(string Text, bool Trained)
{
    /// <summary>The factor on the loss of its tokens.</summary>
    public float Weight { get; init; } = 1;
}
