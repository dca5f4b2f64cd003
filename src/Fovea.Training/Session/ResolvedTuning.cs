using Fovea.Models.Peft;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>What a run with LoRA has from the adapter that it goes on with, and from its tokenizer, where its configuration leaves it open.</summary>
internal static class ResolvedTuning
{
    private static readonly string[] Tables = [PeftConfig.Embeddings, "lm_head"];

    /// <summary>
    /// The configuration as it is meant. <c>additional_target</c> has what the adapter that goes on has trained whole, as in PEFT, and, where nobody says how
    /// new tokens are to be trained, embeddings and head, as in LLaMA-Factory; <c>lora_dropout</c> that nobody wrote is the adapter's.
    /// </summary>
    /// <exception cref="ConfigException">The model folder, or the adapter's configuration, cannot be read.</exception>
    public static TrainConfig Of(TrainConfig config)
    {
        if (config is not { Tuning: { FinetuningType: FinetuningType.Lora } tuning, Run.DoTrain: true })
        {
            return config;
        }

        var own = tuning.CreateNewAdapter ? null : config.Model.AdapterNameOrPath.LastOrDefault();
        var adapter = own is not null && PeftAdapter.IsAdapter(own) ? PeftConfig.Read(own) : null;
        string[] kept = adapter is null ? [] : [.. adapter.ModulesToSave.Except(tuning.AdditionalTarget)];
        var dropout = adapter is null || config.Written.Contains("lora_dropout") ? tuning.LoraDropout : adapter.Lora.Dropout;
        var (whole, notices) = (tuning.AdditionalTarget.Concat(kept).ToList(), config.Notices.ToList());
        if (kept.Length > 0)
        {
            notices.Add($"{string.Join(", ", kept)}: trained whole, as {own} has them (modules_to_save)");
        }

        if (dropout != tuning.LoraDropout)
        {
            notices.Add(FormattableString.Invariant($"lora_dropout: {dropout}, as {own} has it"));
        }

        if (tuning is { AdditionalTarget.Count: 0, TrainableTokenIndices.Count: 0 } && config.Model.Enlarges)
        {
            var fresh = BaseModel.FreshTokens(config);
            if (fresh.Count > 0 || config.Model.ResizeVocab)
            {
                var cause = fresh.Count > 0 ? $"new tokens ({Few(fresh)})" : "resize_vocab";
                notices.Add($"{cause}: embeddings and head are trained whole, as LLaMA-Factory does where additional_target does not say otherwise"
                    + (fresh.Count > 0 ? "; trainable_token_indices: new trains the new rows alone" : string.Empty));
                whole.AddRange(Tables.Except(whole));
            }
            else
            {
                notices.Add("new tokens: the tokenizer has all that are named already, so no rows are added, and none are trained for them");
            }
        }

        return config with { Tuning = tuning with { AdditionalTarget = whole, LoraDropout = dropout }, Notices = notices };
    }

    private static string Few(IReadOnlyList<string> tokens) => string.Join(", ", tokens.Take(4)) + (tokens.Count > 4 ? ", ..." : string.Empty);
}
