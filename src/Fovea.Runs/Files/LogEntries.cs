using Fovea.Events;

namespace Fovea.Runs.Files;

/// <summary>The entries that Transformers logs for each event; <c>log_history</c>, result files and TensorBoard are made of them.</summary>
internal static class LogEntries
{
    /// <summary>The entry of an event, or null for events that Transformers does not log. A step without a loss has none in it.</summary>
    public static Dictionary<string, object?>? For(RunEvent e) => e switch
    {
        StepLogged log => Known(new()
        {
            ["loss"] = log.Loss,
            ["grad_norm"] = log.GradNorm,
            ["learning_rate"] = log.LearningRate,
            ["epoch"] = log.Epoch,
            ["step"] = log.Step,
        }),
        Evaluated eval => Evaluation(eval),
        RunFinished run => new()
        {
            ["train_runtime"] = Math.Round(run.RuntimeSeconds, 4),
            ["train_samples_per_second"] = Rate(run.SamplesTrained, run.RuntimeSeconds),
            ["train_steps_per_second"] = Rate(run.StepsTrained ?? run.Step, run.RuntimeSeconds),
            ["total_flos"] = run.TotalFlos,
            ["train_loss"] = run.TrainLoss,
            ["epoch"] = run.Epoch,
            ["step"] = run.Step,
        },
        _ => null,
    };

    /// <summary>What <c>predict_results.json</c> holds.</summary>
    public static Dictionary<string, object?> Prediction(PredictionFinished predicted)
    {
        var entry = new Dictionary<string, object?>
        {
            ["predict_model_preparation_time"] = Math.Round(predicted.PreparationSeconds, 4),
            ["predict_runtime"] = Math.Round(predicted.RuntimeSeconds, 4),
            ["predict_samples_per_second"] = Rate(predicted.Samples, predicted.RuntimeSeconds),
            ["predict_steps_per_second"] = Rate(predicted.Batches, predicted.RuntimeSeconds),
        };
        foreach (var (name, value) in predicted.Metrics)
        {
            entry[$"predict_{name}"] = value;
        }

        return entry;
    }

    /// <summary>Evaluations without a run: their numbers together, with how many samples they are of.</summary>
    public static Dictionary<string, object?> Measured(IEnumerable<Evaluated> evaluations) => evaluations
        .SelectMany(eval => Evaluation(eval).Where(pair => pair.Key is not ("epoch" or "step")).Append(new($"{Prefix(eval)}samples", eval.Samples)))
        .ToDictionary();

    /// <summary>What stands before the names of an evaluation's metrics.</summary>
    public static string Prefix(Evaluated eval) => eval.Dataset is null ? "eval_" : $"eval_{eval.Dataset}_";

    /// <summary>Whether a run has trained something by then, or saved: what an earlier run left in its folder may be replaced from there on.</summary>
    public static bool ShowTraining(RunEvent e) => e is
        StepDone { Loss: not null } or StepLogged { Loss: not null } or CheckpointSaved or Evaluated { Final: true } or RunFinished;

    private static Dictionary<string, object?> Evaluation(Evaluated eval)
    {
        var prefix = Prefix(eval);
        var entry = new Dictionary<string, object?>
        {
            [$"{prefix}loss"] = eval.Loss,
            [$"{prefix}runtime"] = Math.Round(eval.RuntimeSeconds, 4),
            [$"{prefix}samples_per_second"] = Rate(eval.Samples, eval.RuntimeSeconds),
            [$"{prefix}steps_per_second"] = Rate(eval.Batches, eval.RuntimeSeconds),
            ["epoch"] = eval.Epoch,
            ["step"] = eval.Step,
        };
        foreach (var (name, value) in eval.Metrics.Concat(eval.AnswerMetrics))
        {
            entry[$"{prefix}{name}"] = value;
        }

        return Known(entry);
    }

    private static Dictionary<string, object?> Known(Dictionary<string, object?> entry) =>
        entry.Where(pair => pair.Value is not null).ToDictionary(pair => pair.Key, pair => pair.Value);

    private static double Rate(double count, double seconds) => seconds > 0 ? Math.Round(count / seconds, 3) : 0;
}
