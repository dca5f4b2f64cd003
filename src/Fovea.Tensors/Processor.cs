using System.Runtime.Intrinsics.X86;

namespace Fovea.Tensors;

/// <summary>What this machine's processor can do that changes how work is best done.</summary>
public static class Processor
{
    /// <summary>Whether it multiplies bf16 in tiles (AMX-BF16: bit 22 of EDX in leaf 7 of cpuid).</summary>
    public static bool HasBf16Tiles { get; } = X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= 7 && (X86Base.CpuId(7, 0).Edx & (1 << 22)) != 0;
}
