namespace Fovea.Data.Templates;

/// <summary>A question and its answer.</summary>
internal sealed record Exchange(Message User, Message Assistant);
