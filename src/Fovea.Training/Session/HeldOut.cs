using Fovea.Data.Datasets;
using Fovea.Data.Packing;
using Fovea.Distributed;
using Fovea.Events;
using Fovea.Runs.Events;
using Fovea.Training.Answers;
using Fovea.Training.Config;
using Fovea.Training.Objectives;

namespace Fovea.Training.Session;

/// <summary>A run's evaluations on its held-out samples, when they are due and at the end.</summary>
internal sealed class HeldOut(
    TrainConfig config, RunInputs inputs, TrainSession session, Mesh mesh, IFeatureStore? cache, int microBatchTokens, RunState state, EventHub events)
{
    private readonly Dictionary<string, (int Step, IReadOnlyDictionary<string, double> Metrics)> answered = [];

    /// <summary>What is measured; null before the run trains.</summary>
    public IObjective? Objective { get; set; }

    /// <summary>The same over another model, without features that were kept for this one.</summary>
    public HeldOut Of(TrainSession other) => new(config, inputs, other, mesh, cache: null, microBatchTokens, state, events) { Objective = Objective };

    /// <summary>Measures where <c>eval_strategy</c> says so.</summary>
    public void IfDue()
    {
        if (state.IsDue(config.Run.EvalStrategy, config.Run.EvalSteps ?? config.Run.LoggingSteps) && Run(final: false) is { Count: > 0 } measured)
        {
            state.Best?.Take(measured, state.Progress.Step);
        }
    }

    /// <summary>Measures once more when everything is saved.</summary>
    public void AtTheEnd()
    {
        if (config.Run.Evaluates)
        {
            Run(final: true);
        }
    }

    private List<Evaluated> Run(bool final) => [.. inputs.Data.HeldOut.Select(part => Telemetry.Span("fovea.evaluation", span =>
    {
        var measured = Run(part, final);
        span?.SetTag("fovea.step", measured.Step).SetTag("fovea.loss", measured.Loss).SetTag("fovea.samples", measured.Samples);
        if (part.Name is not null)
        {
            span?.SetTag("fovea.dataset", part.Name);
        }

        return measured;
    }))];

    private Evaluated Run(HeldOutPart part, bool final)
    {
        using var pipeline = inputs.Setup.HeldOut(config, part.Samples, mesh.Rank, mesh.WorldSize, microBatchTokens, cache);
        var measured = Evaluation.Run(session.Runner, Objective!, pipeline, mesh, session.Strategy);
        if (config.Run.AnswersWhenEvaluating)
        {
            measured = Answered(measured, part);
        }

        measured = measured with
        {
            Step = state.Progress.Step,
            TotalSteps = state.Progress.TotalSteps,
            Epoch = state.Epoch,
            Dataset = part.Name,
            Final = final,
        };
        events.Write(measured);
        return measured;
    }

    /// <summary>The weights of a step give the same answers again: after the last step they are asked once.</summary>
    private Evaluated Answered(Evaluated measured, HeldOutPart part)
    {
        var seconds = 0.0;
        var name = part.Name ?? string.Empty;
        if (!answered.TryGetValue(name, out var known) || known.Step != state.Progress.Step)
        {
            var answers = new HeldOutAnswers(config, inputs, session.Model, part.Samples, mesh, text => events.Write(new Warning(text))).Measure();
            known = (state.Progress.Step, answers.Metrics);
            (seconds, answered[name]) = (answers.Seconds, known);
        }

        return measured with { RuntimeSeconds = measured.RuntimeSeconds + seconds, AnswerMetrics = known.Metrics };
    }
}
