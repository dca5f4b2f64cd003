namespace Fovea.Events;

/// <summary>A checkpoint is complete on disk.</summary>
/// <param name="Step">Steps done when it was taken.</param>
/// <param name="Path">Its folder.</param>
public sealed record CheckpointSaved(int Step, string Path) : RunEvent;
