namespace Fovea;

/// <summary>The place that a conversation was read from, by which messages name it.</summary>
/// <param name="Dataset">The data set's name.</param>
/// <param name="Row">The row within the data set, from 1.</param>
public sealed record ConversationOrigin(string Dataset, int Row);
