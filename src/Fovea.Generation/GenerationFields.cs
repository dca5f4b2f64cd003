using Fovea.Models;
using Fovea.Models.Configs;

namespace Fovea.Generation;

/// <summary>Every field of a generation_config.json: read, held to the values under which answers are made as here, or without effect.</summary>
internal static class GenerationFields
{
    private const string Why = "answers are made token by token, and nothing but the probabilities chooses";

    public static FieldTable Table { get; } = new FieldTable()
        .Read("eos_token_id max_new_tokens do_sample temperature top_k top_p min_p repetition_penalty "
            + "presence_penalty frequency_penalty min_new_tokens no_repeat_ngram_size stop_strings")
        .Only(Why, "num_beams num_beam_groups num_return_sequences typical_p encoder_repetition_penalty guidance_scale", 1)
        .Only(Why, "penalty_alpha epsilon_cutoff eta_cutoff diversity_penalty min_length encoder_no_repeat_ngram_size", 0)
        .Only("answers are made token by token, and every token may come; remove it", "bad_words_ids force_words_ids suppress_tokens begin_suppress_tokens "
            + "sequence_bias forced_bos_token_id forced_eos_token_id exponential_decay_length_penalty constraints dola_layers watermarking_config")
        .Unused("num_beams is 1", "length_penalty early_stopping")
        .Unused("max_new_tokens counts", "max_length");

    /// <exception cref="ConfigException">A field asks for what is not done here.</exception>
    public static void Check(string path) => Table.Check(ConfigReader.Open(path));
}
