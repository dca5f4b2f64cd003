using Fovea.Data.Datasets;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Distributed;
using Fovea.Models;
using Fovea.Runs.Events;
using Fovea.Training.Config;
using Fovea.Training.Engine;

namespace Fovea.Training.Recipes;

/// <summary>Measures a model on held-out samples: <c>eval_dataset</c>, else the part that <c>val_size</c> sets aside, else <c>dataset</c>.</summary>
public static class HeldOutEvaluation
{
    // Activations are not kept, so more fits than in training.
    private const int MicroBatchTokens = 4096;

    /// <exception cref="ConfigException">The configuration names no usable samples.</exception>
    public static Evaluated Run(TrainConfig config, VisionLanguageModel model)
    {
        var setup = DataSetup.From(config);
        var named = config.EvalDataset.Count > 0;
        var options = setup.Options with { Datasets = named ? config.EvalDataset : config.Dataset, EvalDatasets = [] };
        if (options.Datasets.Count == 0)
        {
            throw new ConfigException("eval_dataset is missing: names from dataset_info.json, or files, separated by commas");
        }

        using var data = DatasetLoader.Load(options);
        var samples = data.Eval ?? data.Train;
        return StepThread.Run(() =>
        {
            var batches = new SampleOrder(DataSetup.EvalOrder(config, samples.Count, rank: 0, worldSize: 1));
            using var pipeline = new DataPipeline(
                samples, setup.NewEncoder(), setup.Images, batches,
                DataSetup.Plan(config, MicroBatchTokens, worldSize: 1) with { Reduction = LossReduction.Mean },
                DataSetup.Pipeline(config, 0, batches.StepsPerEpoch));
            var mesh = Mesh.Alone();
            using var division = new Replicated(mesh, [], late: null, bucketBytes: 1);
            return Evaluation.Run(
                new StepRunner(model, visionLearns: false), pipeline, mesh, division, step: 0, totalSteps: 0, epoch: 0, final: true);
        });
    }
}
