namespace Fovea.Events;

/// <summary>Something that the user may want to act on; the run continues.</summary>
/// <param name="Text">What is wrong and what to do about it.</param>
public sealed record Warning(string Text) : RunEvent;
