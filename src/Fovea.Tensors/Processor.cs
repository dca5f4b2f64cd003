using System.Runtime.Intrinsics.X86;

namespace Fovea.Tensors;

/// <summary>What this machine's processor can do that changes how work is best done.</summary>
public static class Processor
{
    /// <summary>Its name with family and model, which tell apart what vendors sell under one name; for instance <c>Intel Xeon Processor 6-207-2</c>.</summary>
    public static string Name { get; } = ReadName();

    /// <summary>Whether it multiplies bf16 in tiles (AMX-BF16: bit 22 of EDX in leaf 7 of cpuid).</summary>
    public static bool HasBf16Tiles { get; } = X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= 7 && (X86Base.CpuId(7, 0).Edx & (1 << 22)) != 0;

    private static string ReadName()
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

        return facts.TryGetValue("model name", out var name)
            ? $"{name} {facts.GetValueOrDefault("cpu family")}-{facts.GetValueOrDefault("model")}-{facts.GetValueOrDefault("stepping")}"
            : "unknown processor";
    }
}
