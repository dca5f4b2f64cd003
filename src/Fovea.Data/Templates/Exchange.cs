namespace Fovea.Data.Templates;

/// <summary>A question and its answer.</summary>
public sealed record Exchange(Message User, Message Assistant);
