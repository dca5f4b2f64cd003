using Fovea.Data.Datasets;
using Fovea.Distributed;
using Fovea.Models;
using Fovea.Events;
using Fovea.Training.Config;
using Fovea.Training.Objectives;

namespace Fovea.Training.Session;

/// <summary>Measures a model on held-out samples: <c>eval_dataset</c>, else the part that <c>val_size</c> sets aside, else <c>dataset</c>.</summary>
internal static class HeldOutEvaluation
{
    // Activations are not kept, so more fits than in training.
    private const int MicroBatchTokens = 4096;

    /// <param name="source">The folder that the model is from.</param>
    /// <param name="mesh">The processes that share the samples out; null is this one alone.</param>
    /// <param name="weights">Gathers the weights where they are sharded over these processes.</param>
    /// <param name="tell">Takes what is to be known about the data, a sentence at a time.</param>
    /// <returns>One for all samples; with <c>eval_on_each_dataset</c> one for each dataset of <c>eval_dataset</c> that has any, in their order.</returns>
    /// <exception cref="ConfigException">The configuration names no usable samples.</exception>
    public static IReadOnlyList<Evaluated> Run(
        TrainConfig config, ModelSource source, VisionLanguageModel model, Mesh? mesh = null, ParallelStrategy? weights = null, Action<string>? tell = null)
    {
        mesh ??= Mesh.Alone();
        var setup = DataSetup.From(config, source);
        using var data = Load(setup.Options);
        foreach (var notice in data.Notices)
        {
            tell?.Invoke(notice);
        }

        IReadOnlyList<HeldOutPart> parts = config.Data.HeldOutPartNames is [null] ? [new(null, data.Eval ?? data.Train)] : data.HeldOut;
        foreach (var part in parts)
        {
            setup.CheckTokens(part.Samples);
        }

        if (config.Data.HeldOutPartNames.Except(parts.Select(part => part.Name)).ToList() is { Count: > 0 } empty)
        {
            var none = $"eval_dataset: no usable row is left of {string.Join(", ", empty)}";
            if (parts.Count == 0)
            {
                throw new ConfigException(none);
            }

            tell?.Invoke($"{none}, which has no numbers");
        }

        return StepThread.Run(() =>
        {
            using var whole = weights is null ? new DataParallel(mesh, [], late: null, bucketBytes: 1) : null;
            var strategy = weights ?? whole!;
            var runner = new StepRunner(model, visionLearns: false, together: strategy.RunsTogether);
            var objective = TokenLoss.Of(config);
            return parts.Select(part =>
            {
                using var pipeline = setup.HeldOut(config, part.Samples, mesh.Rank, mesh.WorldSize, MicroBatchTokens);
                return Evaluation.Run(runner, objective, pipeline, mesh, strategy) with { Final = true, Dataset = part.Name };
            }).ToList();
        });
    }

    private static LoadedData Load(DataOptions options) => options switch
    {
        { EvalDataset.Count: > 0, EvalOnEachDataset: true } => DatasetLoader.LoadHeldOut(options.HeldOutAlone with { EvalDataset = options.EvalDataset }),
        { EvalDataset.Count: > 0 } => DatasetLoader.Load(options.HeldOutAlone),
        { Dataset.Count: > 0 } => DatasetLoader.Load(options),
        _ => throw new ConfigException("eval_dataset is missing: names from dataset_info.json, or files, separated by commas"),
    };
}
