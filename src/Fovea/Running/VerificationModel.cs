using Fovea.Generation;
using Fovea.Loading;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Running;

/// <summary>A model of this machine as a side: it is loaded, asked everything and freed again.</summary>
internal static class VerificationModel
{
    /// <summary>Looks for all files that will be needed, before anything is computed.</summary>
    /// <exception cref="FoveaException">One is missing or damaged.</exception>
    public static void Check(TrainConfig config, ModelSource? source)
    {
        source = source is null ? BaseModel.Open(config) : BaseModel.With(source, config);
        var data = DataSetup.From(config, source);
        GenerationFile.Read(source.Folder, data.Tokenizer, data.Template.StopWords);
        source.CheckFiles();
        foreach (var adapter in config.Model.AdapterNameOrPath)
        {
            PeftAdapter.CheckFiles(adapter);
        }
    }

    /// <param name="config">Names the model and its adapters.</param>
    /// <param name="source">The model folder where it is open already.</param>
    /// <param name="rows">Conversations up to the open question.</param>
    /// <param name="maxNewTokens">Longest answer.</param>
    /// <param name="note">Receives what is being loaded.</param>
    /// <param name="cancel">Ends it without a result.</param>
    public static async Task<VerifiedSide> Ask(
        TrainConfig config, ModelSource? source, IReadOnlyList<Conversation> rows, int maxNewTokens, Action<string> note, CancellationToken cancel)
    {
        await using var model = await VisionModel.LoadAsync(config, source, fromModel: true, note, mesh: null, cancel).ConfigureAwait(false);
        var loaded = model.Loaded;
        var name = string.Join(" with ", config.Model.AdapterNameOrPath.Prepend(config.Model.ModelNameOrPath));
        var type = loaded.Model.Ledger.Options.Compute.SafetensorsName().ToLowerInvariant();
        var answers = await model.Run(() => Answers(loaded, rows, maxNewTokens, cancel), cancel).ConfigureAwait(false);
        return new VerifiedSide($"{name} ({type}, {model.Device})", type, answers);
    }

    private static VerifiedAnswer[] Answers(LoadedModel loaded, IReadOnlyList<Conversation> rows, int maxNewTokens, CancellationToken cancel)
    {
        // Nothing of generation_config.json but what ends an answer: penalties would hide what the model computes.
        var options = new GenerationOptions { MaxNewTokens = maxNewTokens, StopIds = loaded.Options.StopIds, Logprobs = true, TopLogprobs = 2 };
        var answers = new VerifiedAnswer[rows.Count];
        foreach (var answer in loaded.Batch.AnswerAll(rows.Select((row, i) => new AnswerRequest(row, options) { Tag = i }), cancel))
        {
            var row = (int)answer.Request.Tag!;
            answers[row] = answer.Problem is { } problem ? new VerifiedAnswer { Problem = problem.Message } : Of(loaded, rows[row], answer.Answers[0]);
        }

        return answers;
    }

    private static VerifiedAnswer Of(LoadedModel loaded, Conversation asked, ChatAnswer answer)
    {
        var tokenizer = loaded.Prompts.Tokenizer;
        var tokens = answer.Generation.Logprobs.Select(token => new VerifiedToken(
            tokenizer.Decode([token.Id]), token.Id, token.Logprob, token.Top is [var first, var second, ..] ? first.Logprob - second.Logprob : null)).ToList();
        var ended = answer.Generation.Reason == StopReason.Finished;
        var prompt = loaded.Prompts.Ids(asked);
        return new VerifiedAnswer
        {
            Prompt = prompt,
            PromptText = tokenizer.Decode(prompt.Where((id, i) => i == 0 || id != prompt[i - 1]).ToArray()),
            Tokens = ended ? tokens[..^1] : tokens,
            End = ended ? tokens[^1] : null,
            Ended = ended,
            Text = answer.Text,
        };
    }
}
