using Fovea.Keys;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>Where a merged model goes.</summary>
internal sealed record ExportSection
{
    /// <summary>Folder for the merged model.</summary>
    [FilePath, Affects(Output)] public string? ExportDir { get; init; }

    /// <summary>Maximum shard size of an export, in GB (10^9 bytes).</summary>
    [Bounds(1)]
    [Affects(Output)] public int ExportSize { get; init; } = 5;
}
