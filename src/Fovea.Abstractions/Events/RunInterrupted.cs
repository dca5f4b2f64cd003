namespace Fovea.Events;

/// <summary>The run stopped early on request, after finishing its step and saving.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Reason">What requested it, for instance <c>Ctrl-C</c>.</param>
/// <param name="CheckpointPath">The checkpoint to resume from; null when none could be written.</param>
/// <param name="ResumeCommand">The command line that resumes the run.</param>
public sealed record RunInterrupted(int Step, string Reason, string? CheckpointPath, string ResumeCommand) : RunEvent;
