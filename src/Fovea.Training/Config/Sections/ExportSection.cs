using Fovea.Keys;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>Where a merged model goes.</summary>
internal sealed record ExportSection
{
    /// <summary>Folder for the merged model.</summary>
    [FilePath, Affects(Output)] public string? ExportDir { get; init; }

    /// <summary>4: write linear layers in bitsandbytes' 4 bits, as quantization_type, double_quantization and llm_int8_skip_modules say.</summary>
    [Bounds(2, 8)]
    [Affects(Output)] public int? ExportQuantizationBit { get; init; }

    /// <summary>Maximum shard size of an export, in GB (10^9 bytes).</summary>
    [Bounds(1)]
    [Affects(Output)] public int ExportSize { get; init; } = 5;
}
