namespace Fovea.Board.Work;

/// <summary>A configuration that can be used.</summary>
/// <param name="Run">What the list will call its run.</param>
/// <param name="Notices">What the user should know.</param>
internal sealed record CheckedRun(string Run, IReadOnlyList<string> Notices);
