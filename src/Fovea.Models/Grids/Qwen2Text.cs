using Fovea.Models.Configs;
using Fovea.Nn;

namespace Fovea.Models.Grids;

/// <summary>
/// What a config.json says of a Qwen2 decoder with positions of three axes; the flat form of the hub and the nested one of newer releases (text_config) both
/// read. A family adds its vision tower.
/// </summary>
internal abstract record Qwen2Text
{
    /// <param name="root">Of the config.json file, whose fields have been looked through.</param>
    protected Qwen2Text(ConfigReader root)
    {
        var text = root.Section("text_config") ?? root;
        HiddenSize = text.Int("hidden_size");
        IntermediateSize = text.Int("intermediate_size");
        Layers = text.Int("num_hidden_layers");
        Heads = text.Int("num_attention_heads");
        KeyValueHeads = text.Int("num_key_value_heads");
        VocabularySize = text.Int("vocab_size");
        MaxPositions = Qwen2TextFields.Positions(text);
        NormEpsilon = text.Double("rms_norm_eps", 1e-6);
        Rope = Qwen2TextFields.Rope(text, MaxPositions);
        MropeSection = RopeReader.Section(text)?.Ints("mrope_section") ?? throw text.Wrong("rope_scaling", "an object with mrope_section");
        TiedEmbeddings = NestedText.TiesEmbeddings(root, text);
        ImageTokenId = root.Int("image_token_id", 151655);
        Validate(text);
    }

    public int HiddenSize { get; init; }

    public int IntermediateSize { get; init; }

    public int Layers { get; init; }

    public int Heads { get; init; }

    public int KeyValueHeads { get; init; }

    public int VocabularySize { get; init; }

    /// <summary>Most tokens of one sequence.</summary>
    public int MaxPositions { get; init; }

    public double NormEpsilon { get; init; }

    public RopeSettings Rope { get; init; }

    /// <summary>How many of the D/2 rotary frequencies follow time, height and width.</summary>
    public int[] MropeSection { get; init; }

    /// <summary>Whether the output head is the embedding table.</summary>
    public bool TiedEmbeddings { get; init; }

    public int ImageTokenId { get; init; }

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

    /// <summary>The config.json's <c>model_type</c> must be the family's.</summary>
    protected static void CheckType(ConfigReader root, string modelType)
    {
        if (root.Text("model_type") != modelType)
        {
            throw root.Wrong("model_type", $"\"{modelType}\" for this model family");
        }
    }

    /// <summary>The object of a config.json that describes the vision tower.</summary>
    protected static ConfigReader VisionOf(ConfigReader root) => root.Section("vision_config") ?? throw root.Wrong("vision_config", "an object");

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

        if (text.Int("head_dim", HeadSize) != HeadSize)
        {
            throw text.Wrong("head_dim", $"hidden_size / num_attention_heads, which is {HeadSize}");
        }
    }
}
