using System.Diagnostics;
using Fovea.Data.Datasets;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;
using Fovea.Distributed;
using Fovea.Nn;
using Fovea.Runs.Events;
using Fovea.Runs.Files;
using Fovea.Tensors;
using Fovea.Training.Config;
using Fovea.Training.Engine;

namespace Fovea.Training.Recipes;

/// <summary>
/// Supervised fine-tuning, top to bottom: configuration, data, model, adapters, optimizer, steps, checkpoints, result. One thread does all of it;
/// data is prepared by others. Each rank of a mesh runs it whole on its part of every step; one rank is a mesh of its own.
/// </summary>
public sealed class SupervisedFineTune
{
    private readonly TrainConfig config;
    private readonly EventHub events;
    private readonly Mesh mesh;
    private readonly CancellationToken stop;
    private readonly CheckpointStore checkpoints;
    private readonly OutputFolder output;
    private readonly DataSetup setup;
    private readonly LoadedData data;
    private readonly ModelSetup model;
    private readonly AdamW optimizer;
    private readonly Division division;
    private readonly Schedule schedule;
    private readonly SampleOrder order;
    private readonly StepRunner runner;
    private readonly VisionFeatureCache? cache;
    private readonly MemoryBudget budget;
    private readonly IMemory machine;
    private MemoryPlan memory;
    private readonly LossWindow window = new();
    private readonly TrainerStateRecorder recorder;
    private readonly Resumption? resumed;
    private RunProgress progress;
    private readonly int firstStep;
    private int lastSaved = -1;
    private bool hasTakenOver;
    private long samplesTrained;
    private long samplesLeftOut;

    private SupervisedFineTune(
        TrainConfig config, EventHub events, Mesh mesh, CheckpointStore checkpoints, OutputFolder output, DataSetup setup, LoadedData data, ModelSetup model,
        AdamW optimizer, Division division, MemoryBudget budget, VisionFeatureCache? cache, RunProgress fresh, string? resumeFrom, CancellationToken stop)
    {
        this.config = config;
        this.events = events;
        this.mesh = mesh;
        this.stop = stop;
        this.checkpoints = checkpoints;
        this.output = output;
        this.setup = setup;
        this.data = data;
        this.model = model;
        this.optimizer = optimizer;
        this.division = division;
        this.cache = cache;
        this.budget = budget;
        machine = new MachineMemory(model.Model.Device);
        order = new SampleOrder(DataSetup.Order(config, data.Train.Count, mesh.Rank, mesh.WorldSize));
        schedule = new Schedule(config, fresh.TotalSteps, order);
        runner = new StepRunner(model.Model, model.VisionLearns, model.Dropout, cache, Decide, together: division.RunsTogether);
        memory = MemoryPlan.For(model.Model, config, budget.Activations);
        memory = memory with { MicroBatchTokens = (int)mesh.Min("the choice of micro_batch_tokens", memory.MicroBatchTokens) };
        progress = fresh with { MicroBatchTokens = memory.MicroBatchTokens };
        resumed = resumeFrom is null ? null : Resume(resumeFrom);
        var state = (resumed?.State ?? NewState()) with { Mark = checkpoints.Begin(resumeFrom) };
        firstStep = progress.Step;
        recorder = mesh.IsMain
            ? RunFolder.Attach(events, config.OutputDir, state, config.PlotLoss, config.UseTensorBoard, config.LoggingDir)
            : new TrainerStateRecorder(config.OutputDir, state);
    }

    /// <summary>Runs to the end, or until <paramref name="stop"/>: then the step is finished, everything saved, and the outcome says so.</summary>
    /// <param name="views">See the run's events, besides the files that the run writes itself.</param>
    /// <param name="mesh">The ranks that train together, of which this process is one; null is this process alone.</param>
    /// <exception cref="ConfigException">The configuration, the data or the checkpoint cannot be used; nothing was trained.</exception>
    /// <exception cref="MeshException">Another rank failed; every rank names the same one.</exception>
    public static RunOutcome Run(TrainConfig config, IEnumerable<IEventSink> views, CancellationToken stop = default, Mesh? mesh = null)
    {
        using var events = new EventHub(views);
        mesh ??= Mesh.Alone();
        try
        {
            return StepThread.Run(() => Run(config, events, mesh, stop));
        }
        catch (Exception e)
        {
            mesh.Fail(e);
            throw;
        }
    }

    private static RunOutcome Run(TrainConfig config, EventHub events, Mesh mesh, CancellationToken stop)
    {
        mesh.OnMain(() => RunTargets.Check(config));
        var checkpoints = new CheckpointStore(config.OutputDir, config.SaveTotalLimit);
        var setup = DataSetup.From(config);
        using var data = DatasetLoader.Load(setup.Options);
        setup.CheckTokens(data.Train, data.Eval);
        var output = new OutputFolder(config, checkpoints);
        var fresh = Fresh(config, setup, data.Train.Count, mesh);
        if (mesh.FromMain("whether the run has ended", () => output.Ended(fresh, mesh.WorldSize)) is { } ended)
        {
            events.Write(new Notice(ended));
            return new RunOutcome(fresh.TotalSteps, Interrupted: false, TrainLoss: null);
        }

        var resumeFrom = mesh.FromMain("the choice of a checkpoint", () => output.Choose(fresh));
        Resumption.Check(resumeFrom, config, mesh.WorldSize, fresh);
        var products = ProductSetup.Apply(config.Compute, mesh, ModelSetup.ChooseDevice(config), Resumption.ProgressOf(resumeFrom));
        config = config with { Notices = [.. config.Notices, .. products.Reasons] };
        fresh = fresh.With(ProductSetup.Name, products.Choice.ToString());
        using var model = ModelSetup.Load(config, resumeFrom);
        mesh.OnMain(() => RunTargets.CheckRoom(config, model));
        var caches = model.Model.ImagesStandAlone && config.CacheVisionFeatures != Toggle.Off
            && (!model.VisionLearns || (model.LearnsOverTower && !config.Sharding.Shards));

        // Before weights are divided, while this rank can read them all.
        var identity = caches && config is { Sharding.Shards: true, EffectiveVisionCacheDir: not null }
            ? VisionIdentity.Of(model.Model, model.Family, setup.Images, model.LearnsOverTower)
            : null;
        using var division = model.Divide(config, mesh);
        using var optimizer = new AdamW(division.Parts, config.AdamBeta1, config.AdamBeta2, config.AdamEpsilon, config.WeightDecay, config.DecayNorms);
        var budget = MemoryBudget.For(config, model.Model, new MachineMemory(model.Model.Device), caches, mesh.RanksHere, mesh.WorldSize);
        using var cache = caches ? VisionCacheSetup.Open(config, model, setup.Images, identity, budget, text => events.Write(new Warning(text))) : null;
        var run = new SupervisedFineTune(
            config, events, mesh, checkpoints, output, setup, data, model, optimizer, division, budget, cache, fresh, resumeFrom, stop);
        run.Announce();
        if (config.Profile)
        {
            Profile.Start();
        }

        try
        {
            var watch = Stopwatch.StartNew();
            run.Train();
            return run.progress.Step < run.progress.TotalSteps ? run.Interrupted() : run.Finished(watch.Elapsed);
        }
        catch (Exception e)
        {
            events.Write(new RunFailed(run.progress.Step, e.Message));
            throw;
        }
        finally
        {
            Profile.Stop(!run.hasTakenOver ? null : Path.Combine(config.OutputDir, mesh.IsMain ? "trace.json" : $"trace.rank{mesh.Rank}.json"));
        }
    }

    /// <summary>The run as it begins.</summary>
    private static RunProgress Fresh(TrainConfig config, DataSetup setup, int samples, Mesh mesh) => new()
    {
        Step = 0,
        TotalSteps = new SampleOrder(DataSetup.Order(config, samples, mesh.Rank, mesh.WorldSize)).TotalSteps(config.NumTrainEpochs, config.MaxSteps),
        Samples = samples,
        SamplesPerStep = config.PerDeviceTrainBatchSize * config.GradientAccumulationSteps * mesh.WorldSize,
        Seed = config.EffectiveDataSeed,
        BaseModel = Path.GetFullPath(config.ModelNameOrPath),
        LlmType = setup.Processor.LlmType(setup.Options),
        Template = setup.Template.Name,
        Settings = RunSettings.Of(config),
        Scale = config.Fp16 ? new LossScale() : null,
    };

    private void Train()
    {
        using var pipeline = new DataPipeline(
            data.Train, setup.NewEncoder(), setup.Images, new SampleOrder(DataSetup.Order(config, data.Train.Count, mesh.Rank, mesh.WorldSize)),
            DataSetup.Plan(config, memory.MicroBatchTokens, mesh.WorldSize),
            DataSetup.Pipeline(config, progress.Step, progress.TotalSteps, cache) with { IsTraining = true });
        using var feed = new StepFeed(pipeline, runner, lookAhead: runner.Device.Type == DeviceType.Cuda);
        while (!mesh.Any("the start of a step", stop.IsCancellationRequested) && feed.Next() is { } batch)
        {
            using (batch)
            {
                var totals = StepTotals.Of(batch, mesh);
                Report(batch, totals);
                if (totals.Trains)
                {
                    TrainStep(batch, totals, feed);
                }
                else
                {
                    // Nothing pulls on the weights: neither moments nor weight decay move them, on any number of ranks.
                    CloseStep(totals, loss: null, norm: null, schedule.Rate(batch.Step));
                }
            }

            if (config.EvalStrategy != IntervalStrategy.No && IsDue(config.EvalStrategy, config.EvalSteps ?? config.LoggingSteps))
            {
                Evaluate(final: false);
            }

            if (config.SaveStrategy != IntervalStrategy.No && (IsDue(config.SaveStrategy, config.SaveSteps) || progress.Step == progress.TotalSteps))
            {
                SaveCheckpoint();
            }
        }
    }

    private void TrainStep(StepBatch batch, StepTotals totals, StepFeed feed)
    {
        using var span = Profile.Open("step");
        using var scope = TensorScope.Open("step");
        var rate = schedule.Rate(batch.Step);
        batch.WeighBy(totals.TrainedTokens);
        runner.Scale = progress.Scale?.Value ?? 1;
        var sum = feed.Train(batch, division);
        division.Finish();
        mesh.AllReduce(sum.View(1), "the sum of losses").Wait();
        Tensor result;
        using (Profile.Open("optimizer"))
        {
            result = optimizer.Update(rate, config.MaxGradNorm, sum, division.IsDivided ? division.Total : null, runner.Scale);
            division.Publish();
        }

        // All of the step is queued; reading its two numbers is the one time that the host waits for the device.
        feed.LookAhead();
        double loss, norm;
        using (Profile.Open("wait for device"))
        {
            (loss, norm) = result.ToArray<double>() is [var first, var second] ? (first, second) : default;
        }

        var finite = double.IsFinite(norm) && double.IsFinite(loss);
        progress = progress.Rescaled(finite) ?? throw new TrainingException(
            $"step {batch.Step + 1}: the loss is {loss} and the norm of the gradients {norm}. The weights were not changed. "
            + (config.Fp16 ? "Gradients overflow fp16 although they are not scaled any more: use bf16: true or fp32. " : string.Empty)
            + $"Lower learning_rate, or look at these samples: {string.Join(", ", SamplesOf(batch))}."
            + (checkpoints.Newest is { } newest ? $" The last checkpoint is {newest}." : string.Empty));
        if (!finite)
        {
            events.Write(new Notice(
                $"step {batch.Step + 1} is left out: gradients overflow fp16 when scaled by {runner.Scale}; {progress.Scale!.Value} is next"));
        }

        CloseStep(totals, double.IsFinite(loss) ? totals.Loss(loss, config.LossReduction) : null, norm, rate);
        TakeOver();
    }

    /// <summary>The step is done.</summary>
    /// <param name="loss">Null where it has none: no token was trained, or none could be.</param>
    private void CloseStep(StepTotals totals, double? loss, double? norm, double rate)
    {
        progress = progress.Done(totals.Tokens, loss);
        samplesTrained += totals.Samples;
        window.Add(loss, totals.Tokens);
        events.Write(new StepDone(progress.Step, progress.TotalSteps, loss)
        {
            MemoryBytes = machine.Used,
            TokensPerSecond = window.TokensPerSecond,
        });
        var interval = config.LoggingSteps.In(progress.TotalSteps);
        if (progress.Step % interval != 0 && !(config.LoggingFirstStep && progress.Step == 1))
        {
            return;
        }

        var (mean, speed) = window.Take();
        events.Write(new StepLogged(progress.Step, progress.TotalSteps, mean, norm, rate, order.EpochAfter(progress.Step))
        {
            TotalTokens = progress.Tokens,
            TokensPerSecond = speed,
            MemoryBytes = machine.Used,
            MemoryReservedBytes = machine.Reserved,
        });
    }

    private void Evaluate(bool final)
    {
        if (data.Eval is not { Count: > 0 } samples)
        {
            return;
        }

        var batches = new SampleOrder(DataSetup.EvalOrder(config, samples.Count, mesh.Rank, mesh.WorldSize));
        using var pipeline = new DataPipeline(
            samples, setup.NewEncoder(), setup.Images, batches,
            DataSetup.Plan(config, memory.MicroBatchTokens, worldSize: 1) with { Reduction = LossReduction.Mean },
            DataSetup.Pipeline(config, 0, batches.StepsPerEpoch, cache));
        events.Write(Evaluation.Run(runner, pipeline, mesh, division, progress.Step, progress.TotalSteps, order.EpochAfter(progress.Step), final));
    }

    /// <summary>From here on the output folder is this run's: what an earlier one left there may go.</summary>
    private void TakeOver()
    {
        if (!hasTakenOver)
        {
            hasTakenOver = true;
            mesh.OnMain(output.TakeOver);
        }
    }

    private void SaveCheckpoint()
    {
        TakeOver();
        lastSaved = progress.Step;
        mesh.OnMain(() => checkpoints.Begin(progress.Step));
        if (!config.SaveOnlyModel && (mesh.IsMain || division.IsDivided))
        {
            if (division.IsDivided)
            {
                mesh.Barrier("the start of a checkpoint");
            }

            checkpoints.SaveOptimizer(progress.Step, optimizer, mesh.Rank, division.IsDivided ? mesh.WorldSize : 1);
        }

        if (model is { Adapter: null, Family.Write: null } && division.IsDivided && !config.Sharding.SaveWhole && !config.SaveOnlyModel)
        {
            mesh.OnMain(() => ModelSaver.SaveCompanions(config.ModelNameOrPath, checkpoints.Partial(progress.Step)));
        }
        else
        {
            division.OnMain(() => SaveResult(checkpoints.Partial(progress.Step)));
        }

        if (division.IsDivided)
        {
            mesh.Barrier("the end of a checkpoint");
        }

        mesh.OnMain(() =>
        {
            var state = recorder.State with { GlobalStep = progress.Step, Epoch = order.EpochAfter(progress.Step) };
            events.Write(new CheckpointSaved(progress.Step, checkpoints.Complete(config.SaveOnlyModel ? null : progress, state, progress.Step)));
        });
        if (!config.SaveOnlyModel)
        {
            checkpoints.CompletedBy(mesh, progress.Step);
        }
    }

    private RunOutcome Finished(TimeSpan elapsed)
    {
        TakeOver();
        division.OnMain(() => SaveResult(config.OutputDir));
        if (config.Evaluates)
        {
            Evaluate(final: true);
        }

        var elsewhere = mesh.Sum("the count of bad samples", samplesLeftOut)[0] - samplesLeftOut;
        if (elsewhere > 0)
        {
            events.Write(new Warning($"{elsewhere} bad samples were met by other ranks: their logs name them"));
        }

        foreach (var notice in mesh.Notices(progress.Step - firstStep))
        {
            events.Write(new Notice(notice));
        }

        var loss = progress.MeanLoss;
        events.Write(new RunFinished(progress.Step, order.EpochAfter(progress.Step), loss, elapsed.TotalSeconds)
        {
            SamplesTrained = samplesTrained,
            TotalTokens = progress.Tokens,
            TotalFlos = 6.0 * model.AllParameters * progress.Tokens,
            PeakMemoryBytes = machine.Peak,
            Paths = ResultPaths(),
        });
        return new RunOutcome(progress.Step, Interrupted: false, loss);
    }

    private RunOutcome Interrupted()
    {
        if (lastSaved != progress.Step && progress.Step > firstStep && !config.SaveOnlyModel)
        {
            SaveCheckpoint();
        }

        var saved = checkpoints.Newest;
        var with = saved is not null ? $" with resume_from_checkpoint={saved}" : config.OverwriteOutputDir ? string.Empty : " with overwrite_output_dir=true";
        events.Write(new RunInterrupted(progress.Step, "stopped on request", saved, $"run the same command again{with}"));
        return new RunOutcome(progress.Step, Interrupted: true, progress.MeanLoss);
    }

    private void SaveResult(string folder) => ModelSaver.Save(model, config, folder);

    private Resumption Resume(string from)
    {
        var found = Resumption.IsFile(from)
            ? Resumption.FromFile(from, config, mesh.WorldSize, model, optimizer, order, progress, NewState())
            : Resumption.FromCheckpoint(from, config, optimizer, progress);
        division.Publish();
        progress = found.Progress;
        memory = memory with { MicroBatchTokens = progress.MicroBatchTokens };
        return found;
    }

    private TrainerState NewState() => new()
    {
        MaxSteps = progress.TotalSteps,
        NumTrainEpochs = (int)Math.Ceiling(order.EpochAfter(progress.TotalSteps)),
        LoggingSteps = config.LoggingSteps.In(progress.TotalSteps),
        EvalSteps = (config.EvalSteps ?? config.LoggingSteps).In(progress.TotalSteps),
        SaveSteps = config.SaveSteps.In(progress.TotalSteps),
        TrainBatchSize = config.PerDeviceTrainBatchSize,
    };

    private void Announce()
    {
        var kernels = KernelReport.Of(model.Model.Device, mesh.RanksHere);
        events.Write(new RunStarted
        {
            OutputDir = config.OutputDir,
            Model = config.ModelNameOrPath,
            Family = model.Family.ModelType,
            Device = $"{model.Model.Device}, {config.ComputeName}",
            Kernels = KernelReport.Line(kernels),
            Config = config.ToDictionary(),
            TrainableParameters = model.TrainableParameters,
            AllParameters = model.AllParameters,
            Samples = data.Train.Count,
            EvalSamples = data.Eval?.Count ?? 0,
            TotalSteps = progress.TotalSteps,
            Epochs = order.EpochAfter(progress.TotalSteps),
            SamplesPerStep = progress.SamplesPerStep,
            StartStep = progress.Step,
            Ranks = mesh.WorldSize,
        });
        List<string?> notices =
        [
            .. config.Notices, .. data.Notices, .. model.Model.Notices, .. resumed?.Notices ?? [], .. output.Notices, budget.Notice,
            memory.Notice(model.VisionLearns),
        ];
        foreach (var notice in notices.OfType<string>())
        {
            events.Write(new Notice(notice));
        }

        foreach (var fallback in kernels.Select(fact => fact.Warning).OfType<string>())
        {
            events.Write(new Warning(fallback));
        }

        foreach (var bad in data.Rejected)
        {
            events.Write(new SampleSkipped(bad.Dataset, bad.Row, bad.PlacedReason, "left out"));
        }
    }

    /// <summary>Shorter micro-batches keep more of their activations.</summary>
    private void Decide(PackedBatch batch) =>
        memory.Apply(batch.Tokens, model.VisionLearns ? batch.Patches : 0);

    private void Report(StepBatch batch, StepTotals totals)
    {
        samplesLeftOut += batch.BadSamples.Count;
        foreach (var bad in batch.BadSamples)
        {
            events.Write(new SampleSkipped(bad.Dataset, bad.Row, bad.PlacedReason, config.OnBadSample == BadSamplePolicy.Skip ? "left out" : "replaced"));
        }

        if (totals.EmptyGroups > 0)
        {
            events.Write(new Warning(totals.Trains
                ? $"step {batch.Step + 1}: in {totals.EmptyGroups} of its batches no token is trained"
                : $"step {batch.Step + 1}: no token is trained; the step counts, has no loss and leaves the weights as they are"));
        }
    }

    private IEnumerable<string> SamplesOf(StepBatch batch) => batch.MicroBatches
        .SelectMany(m => m.SampleIndices)
        .Take(8)
        .Select(index => data.Train.Origin(index) is var (dataset, row) ? $"{dataset} row {row}" : string.Empty);

    private bool IsDue(IntervalStrategy strategy, StepInterval every) => strategy == IntervalStrategy.Epoch
        ? Math.Floor(order.EpochAfter(progress.Step)) > Math.Floor(order.EpochAfter(progress.Step - 1))
        : progress.Step % every.In(progress.TotalSteps) == 0;

    private List<KeyValuePair<string, string>> ResultPaths()
    {
        List<KeyValuePair<string, string>> paths =
        [
            new(model.Adapter is null ? "model" : "adapter", config.OutputDir),
            new("log", Path.Combine(config.OutputDir, TrainerLogSink.FileName)),
        ];
        if (config.PlotLoss && recorder.State.LogHistory.Any(entry => entry.ContainsKey("loss")))
        {
            paths.Add(new("loss curve", Path.Combine(config.OutputDir, "training_loss.svg")));
        }

        return paths;
    }
}
