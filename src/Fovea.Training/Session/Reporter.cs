using Fovea.Data.Datasets;
using Fovea.Data.Packing;
using Fovea.Distributed;
using Fovea.Events;
using Fovea.Runs.Events;
using Fovea.Runs.Files;
using Fovea.Runs.Trackers;
using Fovea.Tensors;
using Fovea.Training.Config;
using Fovea.Training.Planning;

namespace Fovea.Training.Session;

/// <summary>Turns what happens in a run into its events; views and files are made from those.</summary>
internal sealed class Reporter
{
    private readonly TrainConfig config;
    private readonly RunInputs inputs;
    private readonly ModelSetup model;
    private readonly Mesh mesh;
    private readonly RunState state;
    private readonly EventHub events;
    private readonly IMemory machine;
    private readonly TrainerStateRecorder recorder;
    private readonly LossWindow window = new();
    private readonly long allParameters;
    private long samplesTrained;
    private long samplesLeftOut;
    private readonly List<BackgroundSink> trackers = [];
    private readonly RefusalWatch refusals = new(() => Devices.Refusals);

    /// <param name="log">What was logged before, where the run goes on.</param>
    public Reporter(TrainConfig config, RunInputs inputs, ModelSetup model, Mesh mesh, RunState state, EventHub events, TrainerState log)
    {
        (this.config, this.inputs, this.model, this.mesh, this.state, this.events) = (config, inputs, model, mesh, state, events);
        machine = new MachineMemory(model.Model.Device);
        recorder = mesh.IsMain
            ? RunFolder.Attach(events, config.Run.OutputDir, log, config.Run.PlotLoss, config.Run.UseTensorBoard, config.Run.LoggingDir, ConfigText.Of(config))
            : new TrainerStateRecorder(config.Run.OutputDir, log);
        if (mesh.IsMain)
        {
            events.Add(new TelemetrySink(config.Run.EffectiveRunName));
            if (config.Run.UseMlflow)
            {
                Track(new MlflowTracker(MlflowSettings.Read(Environment.GetEnvironmentVariable), config.Run.OutputDir, config.Run.EffectiveRunName));
            }
        }

        recorder.Complete = state.Best is { } best ? best.In : null;
        allParameters = model.AllParameters;
    }

    /// <summary>The log so far, as a checkpoint keeps it.</summary>
    public TrainerState Log => recorder.State with { GlobalStep = state.Progress.Step, Epoch = state.Epoch };

    /// <summary>The log of a run that begins.</summary>
    public static TrainerState NewLog(TrainConfig config, RunState state)
    {
        var steps = state.Progress.TotalSteps;
        return new TrainerState
        {
            MaxSteps = steps,
            NumTrainEpochs = (int)Math.Ceiling(state.Epochs),
            LoggingSteps = config.Run.LoggingSteps.In(steps),
            EvalSteps = (config.Run.EvalSteps ?? config.Run.LoggingSteps).In(steps),
            SaveSteps = config.Run.SaveSteps.In(steps),
            TrainBatchSize = config.Schedule.PerDeviceTrainBatchSize,
        };
    }

    /// <summary>Says what is about to be trained, and everything that was remarkable on the way here.</summary>
    /// <param name="notices">What is known besides the configuration, the data, the model and the output folder.</param>
    public void Started(IEnumerable<string?> notices)
    {
        var kernels = KernelReport.Of(model.Model.Device, mesh.RanksHere);
        events.Write(new RunStarted
        {
            OutputDir = config.Run.OutputDir,
            Model = config.Model.Name,
            Family = model.Family.ModelType,
            Device = $"{model.Model.Device}, {config.Model.ComputeName}",
            Kernels = KernelReport.Line(kernels),
            Config = config.ToDictionary(),
            TrainableParameters = model.TrainableParameters,
            AllParameters = model.AllParameters,
            Samples = inputs.Data.Train.Count,
            EvalSamples = inputs.Data.Eval?.Count ?? 0,
            TotalSteps = state.Progress.TotalSteps,
            Epochs = state.Epochs,
            SamplesPerStep = state.Progress.SamplesPerStep,
            StartStep = state.Progress.Step,
            Ranks = mesh.WorldSize,
        });
        IEnumerable<string> ofData = [.. inputs.Setup.Notices, .. inputs.Data.Notices, .. inputs.Stream?.Notices ?? []];
        IEnumerable<string?> all = [.. config.Notices, .. ofData, .. model.Model.Notices, .. notices];
        foreach (var notice in all.OfType<string>())
        {
            events.Write(new Notice(notice));
        }

        foreach (var fallback in kernels.Select(fact => fact.Warning).OfType<string>())
        {
            events.Write(new Warning(fallback));
        }

        Skipped(inputs.Data.Rejected, BadSamplePolicy.Skip);
    }

    /// <summary>A step has come from the data pipeline.</summary>
    public void Took(StepBatch batch, StepTotals totals)
    {
        samplesLeftOut += batch.BadSamples.Count;
        Skipped(batch.BadSamples, config.Data.OnBadSample);
        if (totals.EmptyGroups > 0)
        {
            events.Write(new Warning(totals.Trains
                ? $"step {batch.Step + 1}: in {totals.EmptyGroups} of its batches no token is trained"
                : $"step {batch.Step + 1}: no token is trained; the step counts, has no loss and leaves the weights as they are"));
        }
    }

    /// <summary>The step is done and counted.</summary>
    /// <param name="loss">Null where it has none: no token was trained, or none could be.</param>
    /// <param name="time">Wall time of the step.</param>
    public void Done(StepTotals totals, double? loss, StepResult result, TimeSpan time)
    {
        var progress = state.Progress;
        samplesTrained += totals.Samples;
        window.Add(loss, totals.Tokens, totals.Samples);
        events.Write(new StepDone(progress.Step, progress.TotalSteps, loss)
        {
            MemoryBytes = machine.Used,
            TokensPerSecond = window.TokensPerSecond,
            Tokens = totals.Tokens,
            Samples = totals.Samples,
            Seconds = time.TotalSeconds,
        });
        foreach (var refusal in refusals.News())
        {
            Warn(refusal.Warning!);
        }

        if (progress.Step % config.Run.LoggingSteps.In(progress.TotalSteps) != 0 && !(config.Run.LoggingFirstStep && progress.Step == 1))
        {
            return;
        }

        var (mean, speed, samples) = window.Take();
        events.Write(new StepLogged(progress.Step, progress.TotalSteps, mean, result.Norm, result.Rate, state.Epoch)
        {
            TotalTokens = progress.Tokens,
            TokensPerSecond = speed,
            SamplesPerSecond = samples,
            MemoryBytes = machine.Used,
            MemoryReservedBytes = machine.Reserved,
        });
    }

    public void Notice(string text) => events.Write(new Notice(text));

    public void Warn(string text) => events.Write(new Warning(text));

    public void Saved(string checkpoint) => events.Write(new CheckpointSaved(state.Progress.Step, checkpoint));

    public void Failed(Exception e) => End(new RunFailed(state.Progress.Step, e.Message));

    public void Interrupted(string? saved)
    {
        var with = saved is not null ? $" with resume_from_checkpoint={saved}"
            : config.Run.OverwriteOutputDir ? string.Empty
            : " with overwrite_output_dir=true";
        End(new RunInterrupted(state.Progress.Step, "stopped on request", saved, $"run the same command again{with}"));
    }

    public void Finished(TimeSpan elapsed)
    {
        var progress = state.Progress;
        var elsewhere = mesh.Sum("the count of bad samples", samplesLeftOut)[0] / mesh.SequenceSize - samplesLeftOut;
        if (elsewhere > 0)
        {
            Warn($"{elsewhere} bad samples were met by other ranks: their logs name them");
        }

        foreach (var notice in mesh.Notices(progress.Step - state.FirstStep))
        {
            Notice(notice);
        }

        End(new RunFinished(progress.Step, state.Epoch, progress.MeanLoss, elapsed.TotalSeconds)
        {
            SamplesTrained = samplesTrained,
            TotalTokens = progress.Tokens,
            TotalFlos = 6.0 * allParameters * progress.Tokens,
            PeakMemoryBytes = machine.Peak,
            Paths = ResultPaths(),
        });
    }

    private void Track(ITracker tracker)
    {
        var sink = new BackgroundSink(tracker);
        trackers.Add(sink);
        events.Add(sink);
    }

    /// <summary>Trackers get what is left before the run says that it has ended, so that its last word is the last.</summary>
    private void End(RunEvent last)
    {
        foreach (var lost in trackers.Select(tracker => tracker.Finish(last)).OfType<string>().ToList())
        {
            Warn(lost);
        }

        events.Write(last);
    }

    private void Skipped(IEnumerable<BadSample> samples, BadSamplePolicy policy)
    {
        foreach (var bad in samples)
        {
            events.Write(new SampleSkipped(bad.Dataset, bad.Row, bad.PlacedReason, policy == BadSamplePolicy.Skip ? "left out" : "replaced"));
        }
    }

    private List<KeyValuePair<string, string>> ResultPaths()
    {
        List<KeyValuePair<string, string>> paths =
        [
            new(model.Adapter is null ? "model" : "adapter", config.Run.OutputDir),
            new("log", Path.Combine(config.Run.OutputDir, TrainerLogSink.FileName)),
        ];
        if (config.Run.PlotLoss && recorder.State.LogHistory.Any(entry => entry.ContainsKey("loss")))
        {
            paths.Add(new("loss curve", Path.Combine(config.Run.OutputDir, "training_loss.svg")));
        }

        return paths;
    }
}
