namespace Fovea.Data.Datasets;

/// <summary>One question and its answer; <c>&lt;image&gt;</c> stands where an image goes.</summary>
public sealed record Turn(string User, string Assistant);
