namespace Fovea;

/// <summary>What users type to start the command line: the launcher of a clone, or the tool that NuGet installs, says so in <c>FOVEA_COMMAND</c>.</summary>
internal static class StartedAs
{
    public static string Command { get; } = Environment.GetEnvironmentVariable("FOVEA_COMMAND") is { Length: > 0 } command ? command : "./fovea";
}
