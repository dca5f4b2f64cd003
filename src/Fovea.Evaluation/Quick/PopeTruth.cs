namespace Fovea.Evaluation.Quick;

/// <summary>The expected answer of a question of POPE, and how its objects were drawn: at random, the popular ones, those that often stand together.</summary>
internal sealed record PopeTruth(bool Yes, IReadOnlyList<string> Categories);
