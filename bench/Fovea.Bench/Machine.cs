using System.Reflection;
using Fovea.Tensors;

namespace Fovea.Bench;

/// <summary>What a measurement was taken on.</summary>
internal static class Machine
{
    /// <summary>The commit that this program was built from, when it was built in a checkout.</summary>
    public static string Commit =>
        typeof(Machine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+') is [_, var commit]
            ? commit
            : "unknown";

    /// <summary>Processor and what it multiplies matrices with, in one line.</summary>
    public static string Describe()
    {
        var units = new[] { "avx2", "avx512f", "avx512_bf16", "amx_bf16" }.Where(Processor.Flags.Contains);
        var forced = Environment.GetEnvironmentVariable("OPENBLAS_CORETYPE");
        return $"{Processor.Model}, {Environment.ProcessorCount} CPUs, {string.Join(' ', units)}"
            + (string.IsNullOrEmpty(forced) ? string.Empty : $", OPENBLAS_CORETYPE={forced} (slower than the processor allows, perhaps)");
    }
}
