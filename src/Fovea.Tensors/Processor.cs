using System.Runtime.Intrinsics.X86;

namespace Fovea.Tensors;

/// <summary>What this machine's processor can do that changes how work is best done.</summary>
internal static class Processor
{
    private static readonly Dictionary<string, string> Facts = Read();

    /// <summary>The name that its vendor sells it under.</summary>
    public static string Model { get; } = Facts.GetValueOrDefault("model name") ?? "unknown processor";

    /// <summary>Its name with family and model, which tell apart what vendors sell under one name; for instance <c>Intel Xeon Processor 6-207-2</c>.</summary>
    public static string Name { get; } = Facts.ContainsKey("model name")
        ? $"{Model} {Facts.GetValueOrDefault("cpu family")}-{Facts.GetValueOrDefault("model")}-{Facts.GetValueOrDefault("stepping")}"
        : Model;

    /// <summary>What it can do, as the kernel names it; for instance <c>avx512f</c>.</summary>
    public static IReadOnlySet<string> Flags { get; } = (Facts.GetValueOrDefault("flags") ?? string.Empty).Split(' ').ToHashSet(StringComparer.Ordinal);

    /// <summary>Whether it multiplies bf16 in tiles (AMX-BF16: bit 22 of EDX in leaf 7 of cpuid).</summary>
    public static bool HasBf16Tiles { get; } = X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= 7 && (X86Base.CpuId(7, 0).Edx & (1 << 22)) != 0;

    /// <summary>The kernel's facts on the first processor.</summary>
    private static Dictionary<string, string> Read()
    {
        var facts = new Dictionary<string, string>();
        foreach (var line in File.Exists("/proc/cpuinfo") ? File.ReadLines("/proc/cpuinfo").TakeWhile(line => line.Length > 0) : [])
        {
            var colon = line.IndexOf(':');
            if (colon > 0)
            {
                facts[line[..colon].Trim()] = line[(colon + 1)..].Trim();
            }
        }

        return facts;
    }
}
