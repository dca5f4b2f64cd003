namespace Fovea;

/// <summary>A video within a message. No model family supports videos yet: training and chat reject a conversation that contains one.</summary>
/// <param name="Source">Where its encoded bytes are.</param>
public sealed record Video(MediaSource Source) : Part;
