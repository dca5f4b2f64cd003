namespace Fovea.Events;

/// <summary>The run stopped on an error. Displays close; the error itself is thrown as an exception.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Message">What went wrong.</param>
public sealed record RunFailed(int Step, string Message) : RunEvent;
