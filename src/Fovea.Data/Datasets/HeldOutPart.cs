namespace Fovea.Data.Datasets;

/// <summary>Held-out samples that have numbers of their own.</summary>
/// <param name="Name">Stands between <c>eval_</c> and the name of a metric; null where there is one part for all.</param>
internal sealed record HeldOutPart(string? Name, ConversationSet Samples);
