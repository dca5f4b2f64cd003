using Fovea.Models.Grids;

namespace Fovea.Models.Qwen2Vl;

/// <summary>The vision tower of a Qwen2-VL checkpoint, as its config.json states it.</summary>
internal sealed record Qwen2VlVisionConfig
{
    public required int Depth { get; init; }

    /// <summary>The tower's width (<c>embed_dim</c>).</summary>
    public required int Width { get; init; }

    public required int Heads { get; init; }

    public required int IntermediateSize { get; init; }

    /// <summary>The language model's width, which this object calls <c>hidden_size</c>.</summary>
    public required int OutHiddenSize { get; init; }

    public required PatchShape Patches { get; init; }

    public TowerShape Blocks => new()
    {
        Width = Width,
        Heads = Heads,
        Inner = IntermediateSize,
        Up = "fc1",
        Down = "fc2",
    };

    internal static Qwen2VlVisionConfig Read(ConfigReader json)
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

        var (width, ratio) = (json.Int("embed_dim", 1280), json.Double("mlp_ratio", 4));
        var config = new Qwen2VlVisionConfig
        {
            Depth = json.Int("depth", 32),
            Width = width,
            Heads = json.Int("num_heads", 16),
            IntermediateSize = (int)(width * ratio),
            OutHiddenSize = json.Int("hidden_size", 3584),
            Patches = new PatchShape(json.Int("patch_size", 14), json.Int("temporal_patch_size", 2), 3, json.Int("spatial_merge_size", 2)),
        };
        if (config.IntermediateSize < 1)
        {
            throw json.Wrong("mlp_ratio", "such that the MLP has a width of at least 1");
        }

        return config.Heads > 0 && config.Width % (4 * config.Heads) == 0
            ? config
            : throw json.Wrong("num_heads", $"such that each head has an equal part of embed_dim, {config.Width}, of a multiple of 4");
    }
}
