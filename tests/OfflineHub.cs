using System.Runtime.CompilerServices;

namespace Fovea.Tests;

/// <summary>No test reaches a hub of the world, or finds what a developer's cache happens to hold; processes that tests start neither.</summary>
internal static class OfflineHub
{
    public static string Home { get; } = Path.Combine(Path.GetTempPath(), $"fovea-tests-hub-{Environment.ProcessId}");

    [ModuleInitializer]
    internal static void SwitchOff()
    {
        Environment.SetEnvironmentVariable("HF_HUB_OFFLINE", "1");
        Environment.SetEnvironmentVariable("HF_HOME", Home);
        foreach (var name in (string[])["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_ENDPOINT", "USE_MODELSCOPE_HUB"])
        {
            Environment.SetEnvironmentVariable(name, null);
        }
    }
}
