namespace Fovea;

/// <summary>Where a conversation was read from; error messages refer to it by this.</summary>
/// <param name="Dataset">The dataset's name.</param>
/// <param name="Row">The row within the dataset, from 1.</param>
public sealed record ConversationOrigin(string Dataset, int Row);
