using Fovea.Data.Datasets;
using Fovea.Data.Sampling;
using Fovea.Data.Streaming;
using Fovea.Distributed;
using Fovea.Models;
using Fovea.Training.Config;
using Fovea.Training.Optim;

namespace Fovea.Training.Session;

/// <summary>What a run is made from, read and checked before its model is loaded: data, output folder, and the checkpoint to go on from.</summary>
internal sealed class RunInputs : IDisposable
{
    private RunInputs(TrainConfig config, Mesh mesh)
    {
        BestModel.Check(config.Run, config.Data.HeldOutPartNames);
        config.CheckRanks(mesh.WorldSize);
        mesh.SplitSequences(config.Parallel.SequenceParallelSize);
        mesh.OnMain(() => RunTargets.Check(config.Run));
        Checkpoints = new CheckpointStore(config.Run.OutputDir, config.Run.SaveTotalLimit);
        Source = BaseModel.Open(config);
        config = Config = ResolvedTuning.Of(config);
        Setup = DataSetup.From(config, Source);
        Data = config.Data.Streaming ? DatasetLoader.LoadHeldOut(Setup.Options) : DatasetLoader.Load(Setup.Options);
        try
        {
            if (config.Data.Streaming)
            {
                var order = DataSetup.Order(config, SamplesOf(config, mesh), mesh.DataRank, mesh.DataSize);
                var keepsStates = mesh.IsMain && !config.Run.SaveOnlyModel;
                Stream = new SampleStream(Setup.Options, order, DataSetup.Pipeline(config, 0, 0).SamplesAhead, keepsStates);
            }

            Setup.CheckTokens(Data.Train, Data.Eval);
            Output = new OutputFolder(config, Source.Family, Checkpoints);
            Fresh = Begin(config, mesh);
            Ended = mesh.FromMain("whether the run has ended", () => Output.Ended(Fresh, mesh.DataSize));
            if (Ended is null)
            {
                ResumeFrom = mesh.FromMain("the choice of a checkpoint", () => Output.Choose(Fresh));
                Resumption.Check(ResumeFrom, config, mesh.DataSize, Fresh);
                Stream?.GoTo(Resumption.ProgressOf(ResumeFrom)?.Step ?? 0, ResumeFrom);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The configuration, with what the model's folder decides.</summary>
    public TrainConfig Config { get; }

    /// <summary>A sentence where the output folder holds this very run with all its steps done; null where there is something to do.</summary>
    public string? Ended { get; }

    /// <summary>The run as it would begin.</summary>
    public RunProgress Fresh { get; }

    /// <summary>The configuration's model folder, for what is made before the run writes anything.</summary>
    internal ModelSource Source { get; }

    internal DataSetup Setup { get; }

    internal LoadedData Data { get; }

    /// <summary>What is trained on where it is a stream; null where <see cref="Data"/> has it.</summary>
    internal SampleStream? Stream { get; }

    /// <summary>The samples that are trained on, by their index.</summary>
    internal ISampleSet Samples => (ISampleSet?)Stream ?? Data.Train;

    internal CheckpointStore Checkpoints { get; }

    internal OutputFolder Output { get; }

    /// <summary>A checkpoint, or a file of a family's own scripts; null in a run that begins.</summary>
    internal string? ResumeFrom { get; }

    /// <exception cref="ConfigException">The configuration, the data or the checkpoint cannot be used.</exception>
    public static RunInputs Read(TrainConfig config, Mesh mesh) => Telemetry.Span("fovea.data.load", span =>
    {
        var inputs = new RunInputs(config, mesh);
        span?.SetTag("fovea.data.samples", inputs.Data.Train.Count).SetTag("fovea.data.samples.skipped", inputs.Data.Rejected.Count);
        return inputs;
    });

    public void Dispose()
    {
        Stream?.Dispose();
        Data.Dispose();
    }

    /// <summary>The order in which this rank's steps take the training samples; ranks that split sequences have the same.</summary>
    internal SampleOrder Order(TrainConfig config, Mesh mesh) =>
        new(DataSetup.Order(config, Stream is null ? Data.Train.Count : SamplesOf(config, mesh), mesh.DataRank, mesh.DataSize));

    /// <summary>All samples of a run over a stream: to what counts in epochs the whole run is one, as in Transformers.</summary>
    private static int SamplesOf(TrainConfig config, Mesh mesh) =>
        checked(config.Schedule.MaxSteps * config.Schedule.SamplesPerStep(mesh.DataSize));

    /// <summary>Every family's keys are in the file, so that it has the same names for all models.</summary>
    private Dictionary<string, string?> Outcomes()
    {
        var outcomes = FamilySettings.OutcomeKeys.ToDictionary(key => key, _ => (string?)null);
        foreach (var (key, value) in Setup.Processor.Outcomes(Setup.Options))
        {
            outcomes[key] = value;
        }

        return outcomes;
    }

    private RunProgress Begin(TrainConfig config, Mesh mesh) => new RunProgress
    {
        Step = 0,
        TotalSteps = Order(config, mesh).TotalSteps(config.Schedule.NumTrainEpochs, config.Schedule.MaxSteps),
        Samples = Stream is null ? Data.Train.Count : 1, // nobody knows how many a stream has
        SamplesPerStep = config.Schedule.SamplesPerStep(mesh.DataSize),
        Seed = config.Run.EffectiveDataSeed,
        BaseModel = config.Model.Identity,
        Template = Setup.Template.Name,
        Settings = RunSettings.Of(config),
        Scale = config.Model.Fp16 ? new LossScale() : null,
    }.With(Outcomes());
}
