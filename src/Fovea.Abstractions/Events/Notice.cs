namespace Fovea.Events;

/// <summary>Something worth knowing that needs no action.</summary>
/// <param name="Text">One sentence.</param>
public sealed record Notice(string Text) : RunEvent;
