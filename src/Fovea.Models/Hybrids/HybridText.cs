using Fovea.Models.Configs;
using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Hybrids;

/// <summary>
/// A language model most of whose layers have a recurrence in place of attention (Qwen3.5's), as the <c>text_config</c> of a checkpoint states it.
/// </summary>
internal record HybridText
{
    public required int HiddenSize { get; init; }

    /// <summary>Of the MLP of every layer; 0 where experts stand in its place.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>The mixture of experts of the models that have one; null for the dense ones.</summary>
    public ExpertShape? Experts { get; init; }

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

    public required int VocabularySize { get; init; }

    /// <summary>Most tokens of one sequence.</summary>
    public required int MaxPositions { get; init; }

    public required double NormEpsilon { get; init; }

    public required RopeSettings Rope { get; init; }

    /// <summary>How many of the rotary frequencies follow time, height and width; they take turns.</summary>
    public required int[] MropeSection { get; init; }

    /// <summary>Whether the output head is the embedding table.</summary>
    public required bool TiedEmbeddings { get; init; }

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
    /// <param name="text">Its <c>text_config</c>, or the file itself.</param>
    /// <param name="experts">Whether it describes a model with experts.</param>
    public static HybridText Read(ConfigReader root, ConfigReader text, bool experts = false)
    {
        var (positions, size) = (HybridFields.Positions(text), text.Int("head_dim", 256));
        var (width, epsilon) = (text.Int("hidden_size"), text.Double("rms_norm_eps", 1e-6));
        var config = new HybridText
        {
            HiddenSize = width,
            IntermediateSize = experts ? 0 : text.Int("intermediate_size"),
            Experts = experts ? ExpertsOf(text) : null,
            Heads = text.Int("num_attention_heads"),
            KeyValueHeads = text.Int("num_key_value_heads"),
            HeadSize = size,
            TurnedSize = (int)(size * HybridFields.TurnedPart(text)),
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
            Rope = HybridFields.Rope(text, positions),
            MropeSection = RopeReader.Section(text)?.Ints("mrope_section", [11, 11, 10]) ?? [11, 11, 10],

            // With experts Transformers 5 writes its own default into text_config and goes by what stands outside.
            TiedEmbeddings = experts ? root.Bool("tie_word_embeddings", false) : NestedText.TiesEmbeddings(root, text),
        };
        config.Validate(text);
        return config;
    }

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

    private void Validate(ConfigReader text)
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
    }
}
