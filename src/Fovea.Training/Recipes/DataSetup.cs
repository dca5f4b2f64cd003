using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Models;
using Fovea.Training.Config;

namespace Fovea.Training.Recipes;

/// <summary>What a configuration says about data, with the model folder's own tokenizer, template and image processor. Does not touch libtorch.</summary>
public sealed record DataSetup(DataOptions Options, ModelProcessor Processor)
{
    public static DataSetup From(TrainConfig config)
    {
        var folder = config.ModelNameOrPath;
        var processor = Families.Of(folder).Process(folder, new PreResize(config.ImageMaxPixels, config.ImageMinPixels));
        var template = config.Template is { } named ? ChatTemplates.Get(named) : processor.Template;
        var options = new DataOptions
        {
            Datasets = config.Dataset,
            EvalDatasets = config.EvalDataset,
            DatasetDir = config.DatasetDir,
            MediaDir = config.MediaDir,
            Template = template.Name,
            TemplateIsNamed = config.Template is not null,
            LlmType = config.LlmType,
            MaxSliceNums = config.MaxSliceNums,
            DefaultSystem = config.DefaultSystem,
            CutoffLength = config.CutoffLen,
            MaxSamples = config.MaxSamples,
            ValSize = config.ValSize,
            TrainOnPrompt = config.TrainOnPrompt,
            MaskHistory = config.MaskHistory,
            ImageMaxPixels = config.ImageMaxPixels,
            ImageMinPixels = config.ImageMinPixels,
            OnBadSample = config.OnBadSample,
            LabelMask = config.LabelMask,
            EmptyThinkRatio = config.EmptyThinkRatio,
            AddSystemRatio = config.AddSystemRatio,
            SystemPrompts = config.SystemPrompts,
            PadToCutoff = config.MoeAux == MoeAuxiliary.Original,
            Seed = config.Seed,
        };
        processor.TokenRows.Check(template);
        options = config.DataloaderNumWorkers > 0 ? options with { Workers = config.DataloaderNumWorkers.Value } : options;
        return new DataSetup(options, (processor with { Template = template }).With(options));
    }

    public ChatTemplate Template => Processor.Template;

    public Tokenizer Tokenizer => Processor.Tokenizer;

    public IMediaProcessor Images => Processor.Images;

    /// <summary>The order of the training samples on one rank.</summary>
    public static OrderOptions Order(TrainConfig config, int samples, int rank, int worldSize) => new()
    {
        Samples = samples,
        Seed = config.EffectiveDataSeed,
        Shuffle = !config.DisableShuffling,
        BatchSize = config.PerDeviceTrainBatchSize,
        Accumulation = config.GradientAccumulationSteps,
        Rank = rank,
        WorldSize = worldSize,
        Rounding = config.StepRounding,
    };

    /// <summary>The order of held-out samples on one rank; every sample comes once.</summary>
    public static OrderOptions EvalOrder(TrainConfig config, int samples, int rank, int worldSize) => new()
    {
        Samples = samples,
        Shuffle = false,
        BatchSize = config.PerDeviceEvalBatchSize,
        Rank = rank,
        WorldSize = worldSize,
        EvenBatches = false,
    };

    /// <summary>Packing and weights; <paramref name="microBatchTokens"/> is the memory plan's where the configuration leaves it open.</summary>
    public static PlanOptions Plan(TrainConfig config, int microBatchTokens, int worldSize) => new()
    {
        MicroBatchTokens = config.MicroBatchTokens ?? microBatchTokens,
        Reduction = config.LossReduction,
        Accumulation = config.GradientAccumulationSteps,
        WorldSize = worldSize,
    };

    /// <summary>Background work for the steps from <paramref name="firstStep"/> up to, not including, <paramref name="endStep"/>.</summary>
    public static PipelineOptions Pipeline(TrainConfig config, int firstStep, int endStep, IFeatureStore? features = null)
    {
        var options = new PipelineOptions
        {
            FirstStep = firstStep,
            EndStep = endStep,
            OnBadSample = config.OnBadSample,
            Seed = config.EffectiveDataSeed,
            Features = features,
        };
        return config.DataloaderNumWorkers > 0 ? options with { Workers = config.DataloaderNumWorkers.Value } : options;
    }

    /// <summary>An encoder over this set-up.</summary>
    public ISampleEncoder NewEncoder() => Processor.TokenRows.Guard(Processor.NewEncoder(Options));

    /// <summary>Throws when a sample holds a token that the model has no embedding for, where such samples are not left out.</summary>
    public void CheckTokens(params IEnumerable<ConversationSet?> sets)
    {
        if (Options.OnBadSample == BadSamplePolicy.Error)
        {
            Processor.TokenRows.Check(sets);
        }
    }
}
