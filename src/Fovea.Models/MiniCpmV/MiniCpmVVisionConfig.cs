using Fovea.Models.Slices;

namespace Fovea.Models.MiniCpmV;

/// <summary>The vision tower of a MiniCPM-V checkpoint, as its config.json states it.</summary>
internal sealed record MiniCpmVVisionConfig
{
    // What timm has under the one name that MiniCPM-V-2's config.json gives instead of sizes (vision_encoder).
    private const string TimmName = "vit_so400m_patch14_siglip_384";

    public required MiniCpmVVisionKind Kind { get; init; }

    public required int HiddenSize { get; init; }

    /// <summary>Blocks that run; what config.json says to drop is not among them.</summary>
    public required int Layers { get; init; }

    public required int Heads { get; init; }

    public required int IntermediateSize { get; init; }

    public required int PatchSize { get; init; }

    /// <summary>The table of positions has as many rows and columns.</summary>
    public required int Side { get; init; }

    public double NormEpsilon { get; init; } = 1e-6;

    /// <summary>The tanh form of GELU instead of the exact one.</summary>
    public required bool TanhGelu { get; init; }

    public SiglipShape Blocks => new()
    {
        Width = HiddenSize,
        Heads = Heads,
        Inner = IntermediateSize,
        NormEpsilon = NormEpsilon,
        TanhGelu = TanhGelu,
        Timm = Kind == MiniCpmVVisionKind.Resized,
    };

    /// <summary>Values of one flattened patch.</summary>
    public int PatchLength => 3 * PatchSize * PatchSize;

    /// <param name="root">The whole config.json.</param>
    /// <param name="version">Of the model.</param>
    internal static MiniCpmVVisionConfig Read(ConfigReader root, double version)
    {
        var dropped = root.Bool("drop_vision_last_layer", false) ? 1 : 0;
        if (root.Section("vision_config") is not { } vision)
        {
            return Named(root, dropped);
        }

        var timm = vision.Text("model_type").StartsWith("vit", StringComparison.Ordinal);
        var activation = vision.Text("hidden_act", timm ? "gelu" : "gelu_pytorch_tanh");
        var patch = vision.Int("patch_size", 14);
        return new MiniCpmVVisionConfig
        {
            Kind = timm ? MiniCpmVVisionKind.Resized : version == 2.5 ? MiniCpmVVisionKind.OneRow : MiniCpmVVisionKind.Buckets,
            HiddenSize = vision.Int("hidden_size", 1152),
            Layers = vision.Int("num_hidden_layers", 27) - dropped,
            Heads = vision.Int("num_attention_heads", 16),
            IntermediateSize = vision.Int("intermediate_size", 4304),
            PatchSize = patch,
            Side = vision.Int("image_size", 980) / patch,
            NormEpsilon = vision.Double("layer_norm_eps", 1e-6),
            TanhGelu = activation == "gelu_pytorch_tanh",
        };
    }

    private static MiniCpmVVisionConfig Named(ConfigReader root, int dropped)
    {
        var name = root.Text("vision_encoder");
        return name.Split('.')[0] == TimmName
            ? new MiniCpmVVisionConfig
            {
                Kind = MiniCpmVVisionKind.Resized,
                HiddenSize = 1152,
                Layers = 27 - dropped,
                Heads = 16,
                IntermediateSize = 4304,
                PatchSize = 14,
                Side = 27,
                TanhGelu = false,
            }
            : throw root.Wrong("vision_encoder", $"{TimmName}, where there is no vision_config");
    }
}
