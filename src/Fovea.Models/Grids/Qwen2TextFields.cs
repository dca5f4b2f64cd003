using Fovea.Models.Configs;

namespace Fovea.Models.Grids;

/// <summary>Every field of a config.json around a Qwen2 decoder: read, held to the values that are computed, or without effect.</summary>
internal static class Qwen2TextFields
{
    /// <summary>Of the language model, flat in the file or in <c>text_config</c>.</summary>
    private const string TextRead = "hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads vocab_size "
        + "max_position_embeddings rms_norm_eps head_dim " + RopeReader.Fields;

    public static FieldTable Text { get; } = WithText(new FieldTable()).Read($"{Types} tie_word_embeddings");

    public static FieldTable Root { get; } = WithText(new FieldTable())
        .Read($"{Types} model_type tie_word_embeddings image_token_id vision_config text_config")
        .Unused("videos are not read, and image_token_id alone marks images", "video_token_id vision_start_token_id vision_end_token_id vision_token_id");

    /// <summary>The element type of the weights; chat and plan read it.</summary>
    internal const string Types = "torch_dtype dtype";

    /// <summary>Most tokens of one sequence.</summary>
    public static int Positions(ConfigReader text) => text.Int("max_position_embeddings", 32768);

    public static RopeSettings Rope(ConfigReader text, int positions) =>
        RopeReader.Read(text, 1e6, positions, [RopeKind.Default, RopeKind.Linear, RopeKind.Yarn], "mrope_section");

    /// <summary>Throws over what would change the result and is not computed.</summary>
    /// <param name="visionFields">Of the family's vision tower.</param>
    /// <returns>Fields that nobody knows.</returns>
    public static IReadOnlyList<string> Check(ConfigReader root, FieldTable visionFields)
    {
        var text = root.Section("text_config");
        if (text is not null)
        {
            var positions = Positions(text);
            NestedText.Check(root, text, TextRead, section => Rope(section, positions));
        }

        return
        [
            .. Root.Check(root),
            .. text is null ? [] : Text.Check(text),
            .. root.Section("vision_config") is { } vision ? visionFields.Check(vision) : [],
        ];
    }

    private static FieldTable WithText(FieldTable table) => table
        .Read(TextRead)
        .Only("the original computes no other", "hidden_act", "silu")
        .Only("queries, keys and values have biases", "attention_bias qkv_bias", true)
        .Only("this model has none", "mlp_bias o_bias", false)
        .Only("dropout in the base model is not computed; with 0 answers are the same", "attention_dropout hidden_dropout embd_pdrop resid_pdrop", 0)
        .Only("every layer sees all earlier tokens, as in every published checkpoint", "use_sliding_window", false)
        .Only("every layer sees all earlier tokens, as in every published checkpoint", "layer_types", "full_attention")
        .Only("every dimension is turned", "partial_rotary_factor", 1)
        .Unused("use_sliding_window is false", "sliding_window max_window_layers");
}
