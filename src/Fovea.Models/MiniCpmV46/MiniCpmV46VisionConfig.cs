using Fovea.Models.Slices;

namespace Fovea.Models.MiniCpmV46;

/// <summary>The vision tower of a MiniCPM-V-4.6 checkpoint, as its config.json states it.</summary>
internal sealed record MiniCpmV46VisionConfig
{
    private const string Merger = "insert_layer_id";

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int Layers { get; init; }

    public required int Heads { get; init; }

    public required int PatchSize { get; init; }

    /// <summary>The table of positions has as many rows and columns.</summary>
    public required int Side { get; init; }

    public required double NormEpsilon { get; init; }

    /// <summary>The layer behind which windows are merged; negative where none are.</summary>
    public required int MergesBehind { get; init; }

    public SiglipShape Blocks => new() { Width = HiddenSize, Heads = Heads, Inner = IntermediateSize, NormEpsilon = NormEpsilon };

    /// <summary>Values of one flattened patch.</summary>
    public int PatchLength => 3 * PatchSize * PatchSize;

    /// <param name="root">The whole config.json, which says where windows are merged.</param>
    /// <param name="json">Its vision_config.</param>
    internal static MiniCpmV46VisionConfig Read(ConfigReader root, ConfigReader json)
    {
        var patch = json.Int("patch_size", 16);
        var config = new MiniCpmV46VisionConfig
        {
            HiddenSize = json.Int("hidden_size", 768),
            IntermediateSize = json.Int("intermediate_size", 3072),
            Layers = json.Int("num_hidden_layers", 12),
            Heads = json.Int("num_attention_heads", 12),
            PatchSize = patch,
            Side = json.Int("image_size", 224) / patch,
            NormEpsilon = json.Double("layer_norm_eps", 1e-6),
            MergesBehind = root.Int(Merger, 6),
        };
        if (json.Int(Merger, config.MergesBehind) != config.MergesBehind)
        {
            throw json.Wrong(Merger, $"{config.MergesBehind}, as the file says outside vision_config, or be left out");
        }

        if (config.MergesBehind >= config.Layers)
        {
            throw root.Wrong(Merger, $"below vision_config.num_hidden_layers, which is {config.Layers}");
        }

        if (root.Int("patch_size", patch) != patch)
        {
            throw root.Wrong("patch_size", $"the vision tower's {patch}, or be left out");
        }

        return config.HiddenSize % config.Heads == 0
            ? config
            : throw json.Wrong("num_attention_heads", $"such that each head has an equal part of hidden_size, {config.HiddenSize}");
    }
}
