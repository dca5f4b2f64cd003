namespace Fovea.Data.Datasets;

/// <summary>A question and its answer in a sample.</summary>
/// <param name="Text">As text.</param>
/// <param name="Ids">As ids; those of an image are one stretch.</param>
/// <param name="Tokens">Its length.</param>
/// <param name="Trained">Tokens of it that are trained.</param>
internal sealed record ExampleTurn(IReadOnlyList<ExampleSpan> Text, IReadOnlyList<ExampleSpan> Ids, int Tokens, int Trained);
