using System.Runtime.CompilerServices;

namespace Fovea.Tests;

/// <summary>
/// Products by the rule in every test and every process that a test starts, not by a measurement: its outcome differs from machine to machine, and with it
/// the last bits.
/// </summary>
internal static class PinnedProducts
{
    [ModuleInitializer]
    internal static void Pin()
    {
        foreach (var variable in new[] { ProductPolicy.HalfVariable, ProductPolicy.FloatVariable })
        {
            if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable)))
            {
                Environment.SetEnvironmentVariable(variable, "rule");
            }
        }
    }
}
