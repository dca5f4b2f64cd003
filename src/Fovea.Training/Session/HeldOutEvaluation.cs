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
    /// <exception cref="ConfigException">The configuration names no usable samples.</exception>
    public static Evaluated Run(
        TrainConfig config, ModelSource source, VisionLanguageModel model, Mesh? mesh = null, ParallelStrategy? weights = null, Action<string>? tell = null)
    {
        mesh ??= Mesh.Alone();
        var setup = DataSetup.From(config, source);
        var options = config.Data.EvalDataset.Count > 0 ? setup.Options.HeldOutAlone : setup.Options;
        if (options.Dataset.Count == 0)
        {
            throw new ConfigException("eval_dataset is missing: names from dataset_info.json, or files, separated by commas");
        }

        using var data = DatasetLoader.Load(options);
        foreach (var notice in data.Notices)
        {
            tell?.Invoke(notice);
        }

        var samples = data.Eval ?? data.Train;
        setup.CheckTokens(samples);
        return StepThread.Run(() =>
        {
            using var pipeline = setup.HeldOut(config, samples, mesh.Rank, mesh.WorldSize, MicroBatchTokens);
            using var whole = weights is null ? new DataParallel(mesh, [], late: null, bucketBytes: 1) : null;
            var strategy = weights ?? whole!;
            var runner = new StepRunner(model, visionLearns: false, together: strategy.RunsTogether);
            var objective = TokenLoss.Of(config);
            return Evaluation.Run(runner, objective, pipeline, mesh, strategy) with { Final = true };
        });
    }
}
