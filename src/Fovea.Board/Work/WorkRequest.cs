namespace Fovea.Board.Work;

/// <summary>What a page asks to be done. Which parts are needed depends on what it is.</summary>
/// <param name="Run">A run of the list.</param>
/// <param name="Yaml">A configuration.</param>
/// <param name="Name">What the file of a configuration is to be called.</param>
/// <param name="Replace">Whether that file may be there.</param>
/// <param name="First">The first sample to be shown.</param>
/// <param name="Card">Memory of one GPU.</param>
internal sealed record WorkRequest(string? Run, string? Yaml, string? Name, bool Replace, int First, string? Card);
