using Fovea.Evaluation.Objects;
using Fovea.Events;
using Fovea.Runs.Files;
using Fovea.Training.Answers;
using Fovea.Training.Config;
using Fovea.Training.Objectives;

namespace Fovea.Training.Session;

/// <summary>
/// Follows the metric that decides which checkpoint is best and when a run stops early, with the meaning of Transformers' <c>load_best_model_at_end</c> and its
/// early stopping: an evaluation is better only if it beats the best so far, and what was best counts once its checkpoint is saved.
/// </summary>
internal sealed class BestModel
{
    private readonly RunSection run;
    private readonly string name;
    private readonly bool greater;

    private BestModel(RunSection run)
    {
        this.run = run;
        name = NameIn(run);
        greater = run.GreaterIsBetter
            ?? !(name.EndsWith("loss", StringComparison.Ordinal) || name.EndsWith(ObjectScores.PointDistance, StringComparison.Ordinal));
    }

    /// <summary>The best evaluation so far.</summary>
    public BestSoFar SoFar { get; set; } = new();

    /// <summary>The metric's name as it is logged.</summary>
    public string Metric => $"eval_{name}";

    /// <summary>Whether the run ends here, because too many evaluations were no better.</summary>
    public bool HasStopped => run.EarlyStoppingSteps is { } patience && SoFar.Waited >= patience;

    /// <summary>Null where the run has no use for it.</summary>
    public static BestModel? For(RunSection run) =>
        run.LoadBestModelAtEnd || run.MetricForBestModel is not null || run.EarlyStoppingSteps is not null ? new BestModel(run) : null;

    /// <summary>Refuses a metric that evaluations do not have, before anything is loaded.</summary>
    /// <param name="parts">The names of the held-out datasets that have numbers of their own; null alone where there is one for all.</param>
    public static void Check(RunSection run, IReadOnlyList<string?> parts)
    {
        if (run.MetricForBestModel is null && (parts is [null] || For(run) is null))
        {
            return;
        }

        var scores = run.PredictWithGenerate ? MeanScores.Names.Concat(ObjectScores.Names) : [];
        List<string> metrics = ["loss", .. TokenLoss.MetricNames(run.ComputeAccuracy), .. scores, .. run.AnswerMetrics.Keys];
        List<string> names = [.. parts.SelectMany(part => metrics.Select(metric => part is null ? metric : $"{part}_{metric}"))];
        if (!names.Contains(NameIn(run)))
        {
            throw new ConfigException($"metric_for_best_model: {NameIn(run)} is not among what the evaluations of this run measure: "
                + string.Join(", ", names) + (run.PredictWithGenerate ? string.Empty : "; predict_with_generate: true adds scores of generated answers"));
        }
    }

    /// <summary>An evaluation during the run is done.</summary>
    /// <param name="evaluated">What was measured: one for all samples, or one for each dataset.</param>
    /// <exception cref="TrainingException">It has no such metric: none of its tokens is predicted.</exception>
    public void Take(IReadOnlyList<Evaluated> evaluated, int step)
    {
        var value = evaluated.Select(Find).FirstOrDefault(found => found is not null)
            ?? throw new TrainingException($"metric_for_best_model: the evaluation after step {step} has no {name}: nothing was predicted in it");
        var better = !double.IsNaN(value) && (SoFar.Metric is not { } best || (greater ? value > best : value < best));
        SoFar = better
            ? SoFar with { Metric = value, Step = run.SaveStrategy == IntervalStrategy.No ? null : step, Waited = 0 }
            : SoFar with { Waited = run.EarlyStoppingSteps is null ? 0 : SoFar.Waited + 1 };
    }

    private double? Find(Evaluated one)
    {
        var prefix = one.Dataset is null ? string.Empty : $"{one.Dataset}_";
        var own = name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : string.Empty;
        return own == "loss" ? one.Loss : one.Metrics.TryGetValue(own, out var measured) || one.AnswerMetrics.TryGetValue(own, out measured) ? measured : null;
    }

    /// <summary>A checkpoint is about to get its name: what is best is found where it is, if it was saved.</summary>
    public void Saving(int step)
    {
        if (SoFar.Step is { } best)
        {
            var folder = Path.Combine(run.OutputDir, $"{SavedCheckpoint.Prefix}{best}");
            SoFar = best == step || Directory.Exists(folder) ? SoFar with { Checkpoint = folder } : SoFar;
        }
    }

    /// <summary>Goes on from what a checkpoint says, whose run may lie in another folder by now.</summary>
    public void Resume(TrainerState state)
    {
        var then = BestSoFar.Of(state);
        if (then is { Checkpoint: { } folder, Step: { } step } && !Directory.Exists(folder))
        {
            var here = Path.Combine(run.OutputDir, $"{SavedCheckpoint.Prefix}{step}");
            then = then with { Checkpoint = Directory.Exists(here) ? here : folder };
        }

        SoFar = then;
    }

    /// <summary>The state with this in it.</summary>
    public TrainerState In(TrainerState state) => SoFar.In(state, run.EarlyStoppingSteps);

    private static string NameIn(RunSection run)
    {
        const string prefix = "eval_";
        var name = run.MetricForBestModel ?? "loss";
        return name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : name;
    }
}
