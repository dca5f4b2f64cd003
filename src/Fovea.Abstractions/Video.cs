namespace Fovea;

/// <summary>A video within a message. No model family reads videos yet: training and chat refuse a conversation that holds one.</summary>
/// <param name="Source">Where its encoded bytes are.</param>
public sealed record Video(MediaSource Source) : Part;
