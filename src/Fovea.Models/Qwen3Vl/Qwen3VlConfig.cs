using Fovea.Models.Configs;
using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen3Vl;

/// <summary>A Qwen3-VL checkpoint's config.json, in the spelling of Transformers 4 and 5.</summary>
internal sealed record Qwen3VlConfig
{
    public const string ModelType = "qwen3_vl";

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int Layers { get; init; }

    public required int Heads { get; init; }

    public required int KeyValueHeads { get; init; }

    /// <summary>Heads together are as wide as the model in some sizes and wider in others.</summary>
    public required int HeadSize { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>Most tokens of one sequence.</summary>
    public required int MaxPositions { get; init; }

    public required double NormEpsilon { get; init; }

    public required RopeSettings Rope { get; init; }

    /// <summary>How many of the D/2 rotary frequencies follow time, height and width; they take turns.</summary>
    public required int[] MropeSection { get; init; }

    /// <summary>Whether the output head is the embedding table.</summary>
    public required bool TiedEmbeddings { get; init; }

    public required int ImageTokenId { get; init; }

    public required LearnedTowerConfig Vision { get; init; }

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
        NormalisesQueriesAndKeys = true,
        TiedEmbeddings = TiedEmbeddings,
    };

    /// <summary>Which axis of the positions each rotary frequency follows.</summary>
    public int[] AxisOfFrequency => MultimodalRotary.InTurns(MropeSection);

    /// <param name="root">Of the config.json file.</param>
    public static Qwen3VlConfig Read(ConfigReader root)
    {
        if (root.Text("model_type") != ModelType)
        {
            throw root.Wrong("model_type", $"\"{ModelType}\" for this model family");
        }

        Qwen3VlFields.Check(root);
        var text = root.Section("text_config") ?? root;
        var positions = Qwen3VlFields.Positions(text);
        var config = new Qwen3VlConfig
        {
            HiddenSize = text.Int("hidden_size"),
            IntermediateSize = text.Int("intermediate_size"),
            Layers = text.Int("num_hidden_layers"),
            Heads = text.Int("num_attention_heads"),
            KeyValueHeads = text.Int("num_key_value_heads"),
            HeadSize = text.Int("head_dim", 128),
            VocabularySize = text.Int("vocab_size"),
            MaxPositions = positions,
            NormEpsilon = text.Double("rms_norm_eps", 1e-6),
            Rope = Qwen3VlFields.Rope(text, positions),
            MropeSection = RopeReader.Section(text)?.Ints("mrope_section", [24, 20, 20]) ?? [24, 20, 20],
            TiedEmbeddings = NestedText.TiesEmbeddings(root, text),
            ImageTokenId = root.Int("image_token_id", 151655),
            Vision = LearnedTowerConfig.Read(root.Section("vision_config") ?? throw root.Wrong("vision_config", "an object"), [8, 16, 24]),
        };
        config.Validate(text);
        return config;
    }

    private void Validate(ConfigReader text)
    {
        if (Heads % KeyValueHeads != 0)
        {
            throw text.Wrong("num_attention_heads", $"a multiple of num_key_value_heads {KeyValueHeads}");
        }

        if (MropeSection.Length != 3 || MropeSection.Sum() * 2 != HeadSize)
        {
            throw (RopeReader.Section(text) ?? text).Wrong("mrope_section", $"three parts that add up to half of head_dim, which is {HeadSize}");
        }

        // Every third frequency from the second or third on: beyond the last one a part would be cut short.
        if (3 * Math.Max(MropeSection[1], MropeSection[2]) > HeadSize / 2)
        {
            throw RopeReader.Section(text)!.Wrong(
                "mrope_section", $"such that height and width take no more than every third of the {HeadSize / 2} frequencies");
        }

        if (Vision.OutHiddenSize != HiddenSize)
        {
            throw text.Wrong("hidden_size", $"the vision tower's out_hidden_size {Vision.OutHiddenSize}");
        }

        if (Vision.FeatureBlocks.Length > Layers)
        {
            throw text.Wrong("num_hidden_layers", $"at least {Vision.FeatureBlocks.Length}, as many as vision_config.deepstack_visual_indexes has entries");
        }
    }
}
