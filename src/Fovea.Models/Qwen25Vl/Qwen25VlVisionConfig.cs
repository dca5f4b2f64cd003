using Fovea.Models.Grids;

namespace Fovea.Models.Qwen25Vl;

/// <summary>The vision tower of a Qwen2.5-VL checkpoint, as its config.json states it.</summary>
internal sealed record Qwen25VlVisionConfig
{
    public required int Depth { get; init; }

    public required int HiddenSize { get; init; }

    public required int Heads { get; init; }

    public required int IntermediateSize { get; init; }

    public required int OutHiddenSize { get; init; }

    public required int PatchSize { get; init; }

    public required int TemporalPatchSize { get; init; }

    public required int InChannels { get; init; }

    /// <summary>Patches a side that become one token of the language model.</summary>
    public required int MergeSize { get; init; }

    /// <summary>Side of an attention window in pixels.</summary>
    public required int WindowSize { get; init; }

    /// <summary>Blocks that attend to the whole image instead of a window.</summary>
    public required int[] FullAttentionBlocks { get; init; }

    public PatchShape Patches => new(PatchSize, TemporalPatchSize, InChannels, MergeSize);

    internal static Qwen25VlVisionConfig Read(ConfigReader json)
    {
        if (json.Has("in_channels") && json.Int("in_chans", json.Int("in_channels")) != json.Int("in_channels"))
        {
            throw json.Wrong("in_chans", $"in_channels, which is {json.Int("in_channels")}, or be left out");
        }

        var channels = json.Has("in_channels") ? "in_channels" : "in_chans";
        if (json.Int(channels, 3) != 3)
        {
            throw json.Wrong(channels, "3: pictures are RGB");
        }

        var config = new Qwen25VlVisionConfig
        {
            Depth = json.Int("depth", 32),
            HiddenSize = json.Int("hidden_size"),
            Heads = json.Int("num_heads", 16),
            IntermediateSize = json.Int("intermediate_size", 3420),
            OutHiddenSize = json.Int("out_hidden_size"),
            PatchSize = json.Int("patch_size", 14),
            TemporalPatchSize = json.Int("temporal_patch_size", 2),
            InChannels = json.Has("in_channels") ? json.Int("in_channels") : json.Int("in_chans", 3),
            MergeSize = json.Int("spatial_merge_size", 2),
            WindowSize = json.Int("window_size", 112),
            FullAttentionBlocks = json.Ints("fullatt_block_indexes", [7, 15, 23, 31]),
        };
        return config.Heads > 0 && config.HiddenSize % (4 * config.Heads) == 0
            ? config
            : throw json.Wrong("num_heads", $"such that each head has an equal part of hidden_size, {config.HiddenSize}, of a multiple of 4");
    }
}
