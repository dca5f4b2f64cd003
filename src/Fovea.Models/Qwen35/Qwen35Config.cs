using Fovea.Models.Configs;
using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen35;

/// <summary>A Qwen3.5 checkpoint's config.json, in the spelling of Transformers 4 and 5.</summary>
internal sealed record Qwen35Config
{
    public const string ModelType = "qwen3_5";

    /// <summary>The models with a mixture of experts in every layer; the rest is the dense models'.</summary>
    public const string ExpertsType = "qwen3_5_moe";

    public required int HiddenSize { get; init; }

    /// <summary>Of the MLP of every layer; 0 where experts stand in its place.</summary>
    public required int IntermediateSize { get; init; }

    public required int Heads { get; init; }

    public required int KeyValueHeads { get; init; }

    /// <summary>Heads together are wider than the model.</summary>
    public required int HeadSize { get; init; }

    /// <summary>The first values of each head that positions turn.</summary>
    public required int TurnedSize { get; init; }

    /// <summary>For every layer whether it has a recurrence in place of attention.</summary>
    public required bool[] Recurrent { get; init; }

    /// <summary>The sizes of the recurrence.</summary>
    public required GatedDeltaShape Delta { get; init; }

    /// <summary>The mixture of experts of the models that have one; null for the dense ones.</summary>
    public ExpertShape? Experts { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>Most tokens of one sequence.</summary>
    public required int MaxPositions { get; init; }

    public required double NormEpsilon { get; init; }

    public required RopeSettings Rope { get; init; }

    /// <summary>How many of the rotary frequencies follow time, height and width; they take turns.</summary>
    public required int[] MropeSection { get; init; }

    /// <summary>Whether the output head is the embedding table.</summary>
    public required bool TiedEmbeddings { get; init; }

    public required int ImageTokenId { get; init; }

    public required LearnedTowerConfig Vision { get; init; }

    public DecoderShape Decoder => new()
    {
        Width = HiddenSize,
        Inner = IntermediateSize,
        Layers = Recurrent.Length,
        Heads = Heads,
        KeyValueHeads = KeyValueHeads,
        HeadSize = HeadSize,
        VocabularySize = VocabularySize,
        NormEpsilon = NormEpsilon,
        NormShift = 1,
        NormalisesQueriesAndKeys = true,
        GatesAttention = true,
        Experts = Experts,
        TiedEmbeddings = TiedEmbeddings,
        Delta = Delta,
        Recurrent = Recurrent,
    };

    /// <summary>Which axis of the positions each rotary frequency follows.</summary>
    public int[] AxisOfFrequency => MultimodalRotary.InTurns(MropeSection);

    /// <param name="root">Of the config.json file.</param>
    public static Qwen35Config Read(ConfigReader root)
    {
        if (root.Text("model_type") is not (ModelType or ExpertsType))
        {
            throw root.Wrong("model_type", $"\"{ModelType}\" or \"{ExpertsType}\" for this model family");
        }

        var sparse = HasExperts(root);
        Qwen35Fields.Check(root);
        var text = root.Section("text_config") ?? root;
        var (positions, size) = (Qwen35Fields.Positions(text), text.Int("head_dim", 256));
        var (width, epsilon) = (text.Int("hidden_size"), text.Double("rms_norm_eps", 1e-6));
        var config = new Qwen35Config
        {
            HiddenSize = width,
            IntermediateSize = sparse ? 0 : text.Int("intermediate_size"),
            Experts = sparse ? ExpertsOf(text) : null,
            Heads = text.Int("num_attention_heads"),
            KeyValueHeads = text.Int("num_key_value_heads"),
            HeadSize = size,
            TurnedSize = (int)(size * Qwen35Fields.TurnedPart(text)),
            Recurrent = LayerKinds.Read(text),
            Delta = new GatedDeltaShape
            {
                Width = width,
                KeyHeads = text.Int("linear_num_key_heads", 16),
                ValueHeads = text.Int("linear_num_value_heads", 32),
                KeySize = text.Int("linear_key_head_dim", 128),
                ValueSize = text.Int("linear_value_head_dim", 128),
                ConvolutionLength = text.Int("linear_conv_kernel_dim", 4),
                NormEpsilon = epsilon,
            },
            VocabularySize = text.Int("vocab_size"),
            MaxPositions = positions,
            NormEpsilon = epsilon,
            Rope = Qwen35Fields.Rope(text, positions),
            MropeSection = RopeReader.Section(text)?.Ints("mrope_section", [11, 11, 10]) ?? [11, 11, 10],

            // With experts Transformers 5 writes its own default into text_config and goes by what stands outside.
            TiedEmbeddings = sparse ? root.Bool("tie_word_embeddings", false) : NestedText.TiesEmbeddings(root, text),
            ImageTokenId = root.Int("image_token_id", 248056),
            Vision = LearnedTowerConfig.Read(root.Section("vision_config") ?? throw root.Wrong("vision_config", "an object"), []),
        };
        config.Validate(root, text);
        return config;
    }

    /// <summary>Whether the file describes one of the models with experts.</summary>
    internal static bool HasExperts(ConfigReader root) => root.Text("model_type") == ExpertsType;

    private static ExpertShape ExpertsOf(ConfigReader text)
    {
        var (count, chosen) = (text.Int("num_experts", 256), text.Int("num_experts_per_tok", 8));
        return chosen > count
            ? throw text.Wrong("num_experts_per_tok", $"at most the number of experts, which is {count}")
            : new ExpertShape
            {
                Count = count,
                PerToken = chosen,
                Inner = text.Int("moe_intermediate_size", 512),
                SharedInner = text.Int("shared_expert_intermediate_size", 512),
            };
    }

    private void Validate(ConfigReader root, ConfigReader text)
    {
        if (Heads % KeyValueHeads != 0)
        {
            throw text.Wrong("num_attention_heads", $"a multiple of num_key_value_heads {KeyValueHeads}");
        }

        if (Delta.ValueHeads % Delta.KeyHeads != 0)
        {
            throw text.Wrong("linear_num_value_heads", $"a multiple of linear_num_key_heads {Delta.KeyHeads}");
        }

        if (TurnedSize < 2 || TurnedSize % 2 != 0 || TurnedSize > HeadSize)
        {
            throw (RopeReader.Section(text) ?? text).Wrong(
                "partial_rotary_factor", $"such that an even part of head_dim {HeadSize} is turned, at least 2 and at most all of it");
        }

        if (MropeSection.Length != 3 || MropeSection.Sum() * 2 != TurnedSize)
        {
            throw (RopeReader.Section(text) ?? text).Wrong(
                "mrope_section", $"three parts that add up to half of head_dim times partial_rotary_factor, which is {TurnedSize}");
        }

        // Every third frequency from the second or third on: beyond the last one a part would be cut short.
        if (3 * MropeSection[1] > (TurnedSize / 2) + 1 || 3 * MropeSection[2] > TurnedSize / 2)
        {
            throw RopeReader.Section(text)!.Wrong(
                "mrope_section", $"such that height and width take no more than every third of the {TurnedSize / 2} frequencies");
        }

        if (Vision.OutHiddenSize != HiddenSize)
        {
            throw text.Wrong("hidden_size", $"the vision tower's out_hidden_size {Vision.OutHiddenSize}");
        }

        if (Vision.FeatureBlocks.Length > 0)
        {
            throw root.Section("vision_config")!.Wrong("deepstack_visual_indexes", "an empty list: this model's layers take nothing from blocks of the tower");
        }
    }
}
