using Fovea.Models.Configs;
using Fovea.Nn;

namespace Fovea.Models.Qwen25Vl;

/// <summary>A Qwen2.5-VL checkpoint's config.json; the flat form of the hub and the nested one of newer releases (text_config) both read.</summary>
internal sealed record Qwen25VlConfig
{
    public const string ModelType = "qwen2_5_vl";

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int Layers { get; init; }

    public required int Heads { get; init; }

    public required int KeyValueHeads { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>Most tokens of one sequence.</summary>
    public required int MaxPositions { get; init; }

    public required double NormEpsilon { get; init; }

    public required RopeSettings Rope { get; init; }

    /// <summary>How many of the D/2 rotary frequencies follow time, height and width.</summary>
    public required int[] MropeSection { get; init; }

    /// <summary>Whether the output head is the embedding table.</summary>
    public required bool TiedEmbeddings { get; init; }

    public required int ImageTokenId { get; init; }

    public required Qwen25VlVisionConfig Vision { get; init; }

    public int HeadSize => HiddenSize / Heads;

    public DecoderShape Decoder => new()
    {
        Width = HiddenSize,
        Inner = IntermediateSize,
        Layers = Layers,
        Heads = Heads,
        KeyValueHeads = KeyValueHeads,
        HeadSize = HeadSize,
        VocabularySize = VocabularySize,
        NormEpsilon = NormEpsilon,
        AttentionBias = true,
        TiedEmbeddings = TiedEmbeddings,
    };

    /// <param name="root">Of the config.json file.</param>
    public static Qwen25VlConfig Read(ConfigReader root)
    {
        if (root.Text("model_type") != ModelType)
        {
            throw root.Wrong("model_type", $"\"{ModelType}\" for this model family");
        }

        Qwen25VlFields.Check(root);
        var text = root.Section("text_config") ?? root;
        var positions = Qwen25VlFields.Positions(text);
        var config = new Qwen25VlConfig
        {
            HiddenSize = text.Int("hidden_size"),
            IntermediateSize = text.Int("intermediate_size"),
            Layers = text.Int("num_hidden_layers"),
            Heads = text.Int("num_attention_heads"),
            KeyValueHeads = text.Int("num_key_value_heads"),
            VocabularySize = text.Int("vocab_size"),
            MaxPositions = positions,
            NormEpsilon = text.Double("rms_norm_eps", 1e-6),
            Rope = Qwen25VlFields.Rope(text, positions),
            MropeSection = RopeReader.Section(text)?.Ints("mrope_section") ?? throw text.Wrong("rope_scaling", "an object with mrope_section"),
            TiedEmbeddings = NestedText.TiesEmbeddings(root, text),
            ImageTokenId = root.Int("image_token_id", 151655),
            Vision = Qwen25VlVisionConfig.Read(root.Section("vision_config") ?? throw root.Wrong("vision_config", "an object")),
        };
        config.Validate(text);
        return config;
    }

    private void Validate(ConfigReader text)
    {
        if (HiddenSize % Heads != 0 || Heads % KeyValueHeads != 0)
        {
            throw text.Wrong("num_attention_heads", $"a divisor of hidden_size {HiddenSize} and a multiple of num_key_value_heads {KeyValueHeads}");
        }

        if (MropeSection.Length != 3 || MropeSection.Any(part => part < 0) || MropeSection.Sum() * 2 != HeadSize)
        {
            throw RopeReader.Section(text)!.Wrong(
                "mrope_section", $"three parts that add up to half of hidden_size / num_attention_heads, which is {HeadSize}");
        }

        if (Vision.OutHiddenSize != HiddenSize)
        {
            throw text.Wrong("hidden_size", $"the vision tower's out_hidden_size {Vision.OutHiddenSize}");
        }

        if (text.Int("head_dim", HeadSize) != HeadSize)
        {
            throw text.Wrong("head_dim", $"hidden_size / num_attention_heads, which is {HeadSize}");
        }
    }
}
