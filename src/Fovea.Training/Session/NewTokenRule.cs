using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>How tokens are trained that a configuration adds: only the tokenizer tells which of them are new.</summary>
internal static class NewTokenRule
{
    private static readonly string[] Tables = [PeftConfig.Embeddings, "lm_head"];

    /// <summary>
    /// The configuration with what follows from the tokenizer. As in LLaMA-Factory, embeddings and head are trained whole where nobody says how new tokens are
    /// to be trained; for tokens that are there already nothing is. A run that goes on with whole tables of an adapter goes on with them.
    /// </summary>
    /// <param name="source">The configuration's model folder with its tokens.</param>
    public static TrainConfig Settle(TrainConfig config, ModelSource source)
    {
        if (!config.Model.Enlarges)
        {
            return config;
        }

        var isOpen = config.Tuning is { FinetuningType: FinetuningType.Lora, AdditionalTarget.Count: 0, TrainableTokenIndices.Count: 0 };
        if (source.Vocabulary is { } vocabulary && vocabulary.NewIds.Except(vocabulary.BroughtIds).Any())
        {
            return !isOpen ? config : Trained(config, Tables) with
            {
                Notices =
                [
                    .. config.Notices,
                    "new tokens: embeddings and head are trained whole, as LLaMA-Factory does where additional_target does not say otherwise; "
                        + "trainable_token_indices: new trains the new rows alone",
                ],
            };
        }

        string[] goesOn = isOpen ? [.. Tables.Where(OfAdapter(config).Contains)] : [];
        var notice = $"{Keys(config.Model)}: nothing is new: every token is in the tokenizer already and has a row"
            + (isOpen && goesOn.Length == 0
                ? ", so none is trained for them (trainable_token_indices with their ids trains rows, additional_target: embed_tokens,lm_head whole tables)"
                : string.Empty);
        return Trained(config, goesOn) with { Notices = [.. config.Notices, notice] };
    }

    private static TrainConfig Trained(TrainConfig config, string[] tables) =>
        tables.Length == 0 ? config : config with { Tuning = config.Tuning with { AdditionalTarget = tables } };

    /// <summary>The last parts of the modules that the adapter with which training goes on has whole.</summary>
    private static IReadOnlyList<string> OfAdapter(TrainConfig config) =>
        !config.Tuning.CreateNewAdapter && config.Model.AdapterNameOrPath.LastOrDefault() is { } own && PeftAdapter.IsAdapter(own)
            ? [.. PeftConfig.Read(own).ModulesToSave.Select(name => name.Split('.')[^1])]
            : [];

    private static string Keys(ModelSection model) => string.Join(", ", new[]
    {
        (Key: "add_tokens", IsGiven: model.AddTokens.Count > 0),
        (Key: "new_special_tokens_config", IsGiven: model.NewSpecialTokensConfig is not null),
        (Key: "add_special_tokens", IsGiven: model.AddSpecialTokens.Count > 0 && model.NewSpecialTokensConfig is null),
        (Key: "resize_vocab", IsGiven: model.ResizeVocab),
    }.Where(key => key.IsGiven).Select(key => key.Key));
}
