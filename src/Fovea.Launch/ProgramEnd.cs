namespace Fovea.Launch;

/// <summary>How a program ended, and all that it said.</summary>
internal sealed record ProgramEnd(int Code, string Output, string Errors);
