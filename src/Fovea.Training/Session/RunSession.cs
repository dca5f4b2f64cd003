using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Distributed;
using Fovea.Nn;
using Fovea.Runs.Events;
using Fovea.Tensors;
using Fovea.Training.Config;
using Fovea.Training.Objectives;

namespace Fovea.Training.Session;

/// <summary>A run with a configuration: its data, its model, where it stands, and what it writes.</summary>
internal sealed class RunSession : TrainSession
{
    private readonly RunInputs inputs;
    private readonly RunParts parts;
    private readonly CancellationToken stop;
    private readonly Stopwatch watch = new();

    private RunSession(RunInputs inputs, RunParts parts, Mesh mesh, EventHub events, CancellationToken stop)
        : base(parts.Setup.Model, parts.Strategy, parts.Optimizer, mesh, parts.Options)
    {
        (this.inputs, this.parts, this.stop) = (inputs, parts, stop);
        Reporter = new Reporter(parts.Config, inputs, parts.Setup, mesh, parts.State, events, parts.Log);
        Checkpoints = new Checkpointer(parts.Config, inputs, parts.Setup, this, mesh, parts.State, Reporter);
        Evaluation = new HeldOut(parts.Config, inputs, this, mesh, parts.Cache, parts.Memory.RankTokens, parts.State, events);
    }

    /// <summary>Whether another step may begin: it does not stop early, and nobody has asked any process of the run to stop.</summary>
    public bool Continues => State.Best?.HasStopped != true && !Mesh.Any("the start of a step", stop.IsCancellationRequested);

    internal Reporter Reporter { get; }

    internal Checkpointer Checkpoints { get; }

    internal HeldOut Evaluation { get; }

    private TrainConfig Config => parts.Config;

    private RunState State => parts.State;

    /// <param name="inputs">Stay the caller's, and must outlive the session.</param>
    /// <param name="stop">Asks for the run to end after the present step.</param>
    /// <exception cref="ConfigException">The model or the checkpoint cannot be used.</exception>
    public static RunSession Open(RunInputs inputs, Mesh mesh, EventHub events, CancellationToken stop)
    {
        var parts = Telemetry.Span("fovea.model.load", _ => RunParts.Assemble(inputs, mesh, events));
        try
        {
            return new RunSession(inputs, parts, mesh, events, stop);
        }
        catch
        {
            parts.Dispose();
            throw;
        }
    }

    /// <summary>Says what is about to be trained; from here on time counts.</summary>
    public void Start()
    {
        Reporter.Started([.. parts.ResumeNotices, .. inputs.Output.Notices, parts.Budget.Notice, parts.Memory.Notice(parts.Setup.VisionLearns)]);
        if (Config.Run.Profile)
        {
            Profile.Start();
        }

        watch.Start();
    }

    /// <summary>The run's steps from where it stands, prepared by background threads. Evaluations measure the same objective.</summary>
    public StepFeed Feed(IObjective objective)
    {
        Evaluation.Objective = objective;
        return Feed(
            new DataPipeline(
                inputs.Samples, inputs.Setup.NewEncoder(), inputs.Setup.Images, (IStepOrder?)inputs.Stream ?? inputs.Order(Config, Mesh),
                DataSetup.Plan(Config, parts.Memory.MicroBatchTokens, Mesh.DataSize),
                DataSetup.Pipeline(Config, State.Progress.Step, State.Progress.TotalSteps, parts.Cache) with { IsTraining = true }),
            objective);
    }

    public override Tensor? Accumulate(TrainStep step, IObjective objective)
    {
        Reporter.Took(step.Batch, step.Totals);
        Runner.Scale = State.Progress.Scale?.Value ?? 1;
        return base.Accumulate(step, objective);
    }

    /// <summary>One step with the learning rate that the schedule has for it.</summary>
    public StepResult Train(TrainStep step, IObjective objective) => Train(step, objective, parts.Schedule.Rate(step.Totals.Step));

    /// <summary>Counts and reports a step.</summary>
    /// <exception cref="TrainingException">Its loss or gradients are no finite numbers, and no other scale of the loss could help.</exception>
    public void Finish(TrainStep step, StepResult result)
    {
        double? loss = null;
        if (result.Norm is not null)
        {
            State.Progress = State.Progress.Rescaled(result.IsFinite) ?? throw new TrainingException(Overflow(step, result));
            if (!result.IsFinite)
            {
                Reporter.Notice($"step {step.Totals.Step + 1} is left out: gradients overflow fp16 when scaled by {Runner.Scale}; "
                    + $"{State.Progress.Scale!.Value} is next");
            }

            loss = result.Loss is { } sum && double.IsFinite(sum) ? step.Totals.Loss(sum) : null;
        }

        State.Progress = State.Progress.Done(step.Totals.Tokens, loss);
        Reporter.Done(step.Totals, loss, result, Stopwatch.GetElapsedTime(step.Asked));
        if (result.Norm is not null)
        {
            Checkpoints.TakeOver();
        }
    }

    /// <summary>Ends the run: saves its result and measures it, or, where it was stopped, saves what was done.</summary>
    public RunOutcome Close()
    {
        var interrupted = !State.HasEnded;
        var outcome = new RunOutcome(State.Progress.Step, interrupted, State.Progress.MeanLoss);
        if (interrupted)
        {
            Checkpoints.IfUnsaved();
            Reporter.Interrupted(Checkpoints.Newest);
            return outcome;
        }

        var elapsed = watch.Elapsed;
        if (!State.IsLastStep)
        {
            Reporter.Notice($"stopped early after step {State.Progress.Step}: {State.Best!.Metric} was no better in {State.Best.SoFar.Waited} evaluations");
        }

        if (BestCheckpoint() is { } best)
        {
            outcome = outcome with { BestCheckpoint = best };
            SaveBest(best);
        }
        else
        {
            Checkpoints.SaveResult();
            Evaluation.AtTheEnd();
        }

        Reporter.Finished(elapsed);
        return outcome;
    }

    [SuppressMessage("Usage", "CA2215", Justification = "The parts hold the strategy and the optimizer too, and close all in the right order.")]
    protected override void Dispose(bool disposing)
    {
        var trace = Mesh.IsMain ? "trace.json" : $"trace.rank{Mesh.Rank}.json";
        Profile.Stop(Checkpoints.HasTakenOver ? Path.Combine(Config.Run.OutputDir, trace) : null);
        parts.Dispose();
    }

    /// <summary>The checkpoint whose weights become the result; null where the last ones do.</summary>
    private string? BestCheckpoint()
    {
        if (!Config.Run.LoadBestModelAtEnd || State.Best is not { } best)
        {
            return null;
        }

        var found = Mesh.FromMain("the choice of the best checkpoint", () => best.SoFar.Checkpoint is { } folder && Directory.Exists(folder) ? folder : null);
        if (found is null)
        {
            Reporter.Warn("load_best_model_at_end: no checkpoint of the best evaluation is there, the last weights are the result");
            return null;
        }

        Reporter.Notice(string.Create(
            CultureInfo.InvariantCulture, $"the result is {found}, where {best.Metric} was best: {best.SoFar.Metric:0.0000} after step {best.SoFar.Step}"));
        return found;
    }

    /// <summary>The best weights take the place of those that trained last, which are freed first.</summary>
    private void SaveBest(string checkpoint)
    {
        parts.Dispose();
        using var best = BestWeights.Load(Config, inputs, Mesh, checkpoint);
        best.Session.Strategy.OnMain(() => ModelSaver.Save(best.Setup, Config, Config.Run.OutputDir));
        Evaluation.Of(best.Session).AtTheEnd();
    }

    private string Overflow(TrainStep step, StepResult result) =>
        $"step {step.Totals.Step + 1}: the loss is {result.Loss} and the norm of the gradients {result.Norm}. The weights were not changed. "
        + (Config.Model.Fp16 ? "Gradients overflow fp16 although they are not scaled any more: use bf16: true or fp32. " : string.Empty)
        + $"Lower learning_rate, or look at these samples: {string.Join(", ", SamplesOf(step.Batch))}."
        + (Checkpoints.Newest is { } newest ? $" The last checkpoint is {newest}." : string.Empty);

    private IEnumerable<string> SamplesOf(StepBatch batch) => batch.MicroBatches
        .SelectMany(m => m.SampleIndices)
        .Take(8)
        .Select(index => inputs.Samples.Origin(index) is var (dataset, row) ? $"{dataset} row {row}" : string.Empty);
}
