using System.Text.Json;
using System.Text.RegularExpressions;

namespace Fovea.Models.Configs;

/// <summary>
/// What a family does with every field of one object of a model folder's files: reads it, takes only the values that it computes, or leaves it alone
/// because it cannot change a result. A field that is in no table is refused where its name says that it would change the result, and told otherwise.
/// </summary>
internal sealed partial class FieldTable
{
    private static readonly FieldTable Common = new FieldTable()
        .Unused("what the file was written by and for", "architectures auto_map _name_or_path name_or_path _commit_hash transformers_version model_type "
            + "tokenizer_class processor_class image_processor_type feature_extractor_type is_composition task_specific_params finetuning_task "
            + "id2label label2id num_labels problem_type prefix unsloth_fixed unsloth_version")
        .Unused("how the original computes, not what", "use_cache return_dict output_hidden_states output_attentions torchscript use_bfloat16 "
            + "attn_implementation _attn_implementation _attn_implementation_autoset _attn_implementation_internal _flash_attn_2_enabled use_flash_attn "
            + "use_flash_attention use_flash_attention_2 flash_attn gradient_checkpointing chunk_size_feed_forward pretraining_tp use_return_dict "
            + "_experts_implementation _experts_implementation_internal")
        .Unused("the files hold every weight, so none is drawn", "initializer_range initializer_factor init_std")
        .Unused("encoders with a decoder are built otherwise", "is_encoder_decoder is_decoder add_cross_attention cross_attention_hidden_size "
            + "tie_encoder_decoder pruned_heads")
        .Unused("generation_config.json and the tokenizer say how answers are made and where they end", "bos_token_id eos_token_id pad_token_id sep_token_id "
            + "unk_token_id decoder_start_token_id max_length min_length do_sample temperature top_k top_p typical_p repetition_penalty length_penalty "
            + "no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids num_beams num_beam_groups diversity_penalty early_stopping "
            + "num_return_sequences output_scores return_dict_in_generate forced_bos_token_id forced_eos_token_id remove_invalid_values "
            + "exponential_decay_length_penalty suppress_tokens begin_suppress_tokens tf_legacy_loss")
        .Read("quantization_config") // by QuantizationConfig, which refuses what is not supported
        .Only("quantised weights of this kind are not read: take the checkpoint that was not quantised", "compression_config");

    private readonly Dictionary<string, Field> fields = new(StringComparer.Ordinal);

    /// <summary>Fields that the family reads.</summary>
    /// <param name="names">Parted by spaces, as everywhere here.</param>
    public FieldTable Read(string names) => Add(names, new Field(null, null));

    /// <summary>Fields that cannot change a result, and why.</summary>
    public FieldTable Unused(string why, string names) => Add(names, new Field(null, why));

    /// <summary>Fields that may have one of a few values and are refused with any other.</summary>
    /// <param name="why">What the values mean, or what to do instead.</param>
    /// <param name="values">Texts, numbers, booleans; a list is right when each of its elements is. None: the field must not be there.</param>
    public FieldTable Only(string why, string names, params object[] values) => Add(names, new Field(values, why));

    /// <summary>Why a field cannot change a result; null where it can, or is not known.</summary>
    public string? ReasonOf(string name) => Find(name) is { Values: null, Why: { } why } ? why : null;

    /// <summary>Whether a field is read or checked.</summary>
    public bool Knows(string name) => Find(name) is not null;

    /// <summary>Throws when a field has a value that the family does not compute, or is not known and would change the result.</summary>
    /// <returns>Fields that nobody knows and whose names say nothing, as errors would call them.</returns>
    public IReadOnlyList<string> Check(ConfigReader json)
    {
        var unknown = new List<string>();
        foreach (var name in json.Names)
        {
            var value = json.Value(name)!.Value;
            switch (Find(name))
            {
                case null when Telling().IsMatch(name) && !IsNothing(value):
                    throw json.Refused(name, $"{Short(value)} is nothing that this model family reads, and by its name it changes what the model computes; "
                        + "remove it from the file if it does not");
                case null:
                    unknown.Add(json.PathOf(name));
                    break;
                case { Values: { } values, Why: var why } when !Fits(value, values):
                    throw values.Length == 0
                        ? json.Refused(name, why!)
                        : json.Wrong(name, $"{string.Join(" or ", values.Select(v => JsonSerializer.Serialize(v)))} ({why})");
            }
        }

        return unknown;
    }

    private static string Short(JsonElement value) => value.GetRawText() is { Length: <= 40 } text ? text : value.GetRawText()[..40] + "...";

    private static bool IsNothing(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.False => true,
        JsonValueKind.Number => value.TryGetDouble(out var number) && number == 0,
        JsonValueKind.String => value.GetString()!.Length == 0,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };

    private static bool Fits(JsonElement value, object[] values) => value.ValueKind == JsonValueKind.Array
        ? values.Length > 0 && value.EnumerateArray().All(element => Fits(element, values))
        : values.Any(allowed => allowed switch
        {
            string text => value.ValueKind == JsonValueKind.String && value.GetString() == text,
            bool flag => value.ValueKind == (flag ? JsonValueKind.True : JsonValueKind.False),
            _ => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number)
                && Math.Abs(number - Convert.ToDouble(allowed, System.Globalization.CultureInfo.InvariantCulture)) <= 1e-12,
        });

    private Field? Find(string name) => fields.GetValueOrDefault(name) ?? (ReferenceEquals(this, Common) ? null : Common.Find(name));

    private FieldTable Add(string names, Field field)
    {
        foreach (var name in names.Split(' '))
        {
            fields.Add(name, field);
        }

        return this;
    }

    [GeneratedRegex(
        "scal|drop|act$|act_fn|activation|bias|window|slid|rope|rotary|theta|norm|eps$|softcap|capping|quant|factor|alpha|multipl|expert|moe|attention|attn"
            + "|layer_types|feature_layer|feature_select|crop|resiz|resample|mean$|std$",
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Telling();

    private sealed record Field(object[]? Values, string? Why);
}
