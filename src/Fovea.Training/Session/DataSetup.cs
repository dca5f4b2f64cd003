using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Objects;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Models;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>What a configuration says about data, with the model folder's own tokenizer, template and image processor. Does not touch libtorch.</summary>
/// <param name="Objects">Writes names and places of objects.</param>
internal sealed record DataSetup(DataOptions Options, ModelProcessor Processor, ObjectText Objects)
{
    /// <param name="model">The configuration's model folder.</param>
    public static DataSetup From(TrainConfig config, ModelSource model)
    {
        var notices = config.Family.Check(model.Family);
        var resize = new PreResize(config.Data.ImageMaxPixels, config.Data.ImageMinPixels);
        var processor = model.Process(resize, config.Family.Of(model.Family));
        var template = config.Data.Template switch
        {
            null => processor.Template,
            ChatTemplates.OfModel => ChatTemplates.Load(model.Folder, processor.Template),
            var named => ChatTemplates.Get(named),
        };
        var options = (config.Data with { Seed = config.Run.Seed }).Scaled();
        processor.TokenRows.Check(template);
        processor = (processor with { Template = template }).With(options);
        var objects = new ObjectText(processor.Objects, model.Family.Title, processor.Images, options);
        return new DataSetup(options, processor, objects) { Notices = [.. notices, .. processor.Tokenizer.Notices, .. Told(template)] };
    }

    private static IEnumerable<string> Told(ChatTemplate template) => template.Model is { TellsTime: true }
        ? ["the model's chat template may write today's date into every conversation: a run that is resumed on another day trains on that day's"]
        : [];

    /// <summary>What the user should know about keys that are for other families' models, and about the tokenizer's files, in sentences.</summary>
    public IReadOnlyList<string> Notices { get; private init; } = [];

    public ChatTemplate Template => Processor.Template;

    public Tokenizer Tokenizer => Processor.Tokenizer;

    public IMediaProcessor Images => Processor.Images;

    /// <summary>The order of the training samples on one rank.</summary>
    public static OrderOptions Order(TrainConfig config, int samples, int rank, int worldSize) => new()
    {
        Samples = samples,
        Seed = config.Run.EffectiveDataSeed,
        Shuffle = !config.Data.DisableShuffling,
        BatchSize = config.Schedule.PerDeviceTrainBatchSize,
        Accumulation = config.Schedule.GradientAccumulationSteps,
        Rank = rank,
        WorldSize = worldSize,
        Rounding = config.Schedule.StepRounding,
    };

    /// <summary>The order of held-out samples on one rank; every sample comes once.</summary>
    public static OrderOptions EvalOrder(TrainConfig config, int samples, int rank, int worldSize) => new()
    {
        Samples = samples,
        Shuffle = false,
        BatchSize = config.Run.PerDeviceEvalBatchSize,
        Rank = rank,
        WorldSize = worldSize,
        EvenBatches = false,
    };

    /// <summary>Packing and weights; <paramref name="microBatchTokens"/> is the memory plan's where the configuration leaves it open.</summary>
    public static PlanOptions Plan(TrainConfig config, int microBatchTokens, int worldSize) => new()
    {
        MicroBatchTokens = config.Memory.MicroBatchTokens ?? microBatchTokens,
        Reduction = config.Schedule.LossReduction,
        Accumulation = config.Schedule.GradientAccumulationSteps,
        WorldSize = worldSize,
    };

    /// <summary>Background work for the steps from <paramref name="firstStep"/> up to, not including, <paramref name="endStep"/>.</summary>
    public static PipelineOptions Pipeline(TrainConfig config, int firstStep, int endStep, IFeatureStore? features = null)
    {
        var options = new PipelineOptions
        {
            FirstStep = firstStep,
            EndStep = endStep,
            OnBadSample = config.Data.OnBadSample,
            Seed = config.Run.EffectiveDataSeed,
            Features = features,
        };
        return config.Data.DataloaderNumWorkers > 0 ? options with { Workers = config.Data.DataloaderNumWorkers.Value } : options;
    }

    /// <summary>One pass over held-out samples: the evaluation batches of one rank, one a step.</summary>
    public DataPipeline HeldOut(
        TrainConfig config, ConversationSet samples, int rank, int worldSize, int microBatchTokens, IFeatureStore? features = null)
    {
        var batches = new SampleOrder(EvalOrder(config, samples.Count, rank, worldSize));
        return new DataPipeline(
            samples, NewEncoder(), Images, batches,
            Plan(config, microBatchTokens, worldSize: 1) with { Reduction = LossReduction.Mean }, Pipeline(config, 0, batches.StepsPerEpoch, features));
    }

    /// <summary>An encoder over this set-up.</summary>
    public ISampleEncoder NewEncoder() => Processor.TokenRows.Guard(new ObjectEncoder(Processor.NewEncoder(Options), Objects));

    /// <summary>Throws when a sample holds a token that the model has no embedding for, where such samples are not left out.</summary>
    public void CheckTokens(params IEnumerable<ConversationSet?> sets)
    {
        if (Options.OnBadSample == BadSamplePolicy.Error)
        {
            Processor.TokenRows.Check(sets);
        }
    }
}
