namespace Fovea.Models.MiniMindV;

/// <summary>A CLIP or SigLIP image encoder as its folder's config.json states it (Transformers' <c>clip*</c> and <c>siglip*</c>).</summary>
internal sealed record MiniMindVVisionConfig
{
    /// <summary>CLIP has a class token and a norm before its layers; SigLIP a bias in the patch embedding and a norm after them.</summary>
    public required bool IsClip { get; init; }

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int Layers { get; init; }

    public required int Heads { get; init; }

    /// <summary>Pixels a side of a patch.</summary>
    public required int PatchSize { get; init; }

    /// <summary>Pixels a side of the picture.</summary>
    public required int ImageSize { get; init; }

    public required double NormEpsilon { get; init; }

    /// <summary><c>quick_gelu</c>, <c>gelu</c> or <c>gelu_pytorch_tanh</c>.</summary>
    public required string Activation { get; init; }

    /// <summary>Patches a side.</summary>
    public int Side => ImageSize / PatchSize;

    /// <summary>Patches of a picture, each a token.</summary>
    public int Tokens => Side * Side;

    /// <summary>Values of one patch: channel, row, column.</summary>
    public int PatchLength => 3 * PatchSize * PatchSize;

    /// <param name="root">Of the encoder's config.json.</param>
    internal static MiniMindVVisionConfig Read(ConfigReader root, bool isClip)
    {
        var type = root.Text("model_type");
        if (!type.StartsWith(isClip ? "clip" : "siglip", StringComparison.Ordinal))
        {
            throw root.Wrong("model_type", $"{(isClip ? "clip" : "siglip")} or {(isClip ? "clip" : "siglip")}_vision_model, the encoder of this generation");
        }

        MiniMindVFields.CheckEncoder(root);
        var json = root.Section("vision_config") ?? root;
        var config = new MiniMindVVisionConfig
        {
            IsClip = isClip,
            HiddenSize = json.Int("hidden_size", 768),
            IntermediateSize = json.Int("intermediate_size", 3072),
            Layers = json.Int("num_hidden_layers", 12),
            Heads = json.Int("num_attention_heads", 12),
            PatchSize = json.Int("patch_size", isClip ? 32 : 16),
            ImageSize = json.Int("image_size", 224),
            NormEpsilon = json.Double("layer_norm_eps", isClip ? 1e-5 : 1e-6),
            Activation = json.Text("hidden_act", isClip ? "quick_gelu" : "gelu_pytorch_tanh"),
        };
        if (config.Activation is not ("quick_gelu" or "gelu" or "gelu_pytorch_tanh"))
        {
            throw json.Wrong("hidden_act", "quick_gelu, gelu or gelu_pytorch_tanh");
        }

        if (!json.Text("model_type", type).StartsWith(isClip ? "clip" : "siglip", StringComparison.Ordinal))
        {
            throw json.Wrong("model_type", isClip ? "clip_vision_model" : "siglip_vision_model");
        }

        if (config.PatchSize < 1 || config.ImageSize < 1 || config.ImageSize % config.PatchSize != 0)
        {
            throw json.Wrong("patch_size", $"a divisor of image_size, which is {config.ImageSize}");
        }

        if (config.Heads < 1 || config.HiddenSize % config.Heads != 0)
        {
            throw json.Wrong("num_attention_heads", $"a divisor of hidden_size, which is {config.HiddenSize}");
        }

        return config;
    }
}
