namespace Fovea.Training.Config;

/// <summary>Rules between the keys of generated answers, best checkpoints and early stopping: those of LLaMA-Factory and Transformers.</summary>
internal static class AnswerChecks
{
    /// <param name="problems">Receives what is wrong.</param>
    public static void Run(TrainConfig config, ICollection<string> problems)
    {
        var run = config.Run;
        if (run is { DoPredict: true, PredictWithGenerate: false })
        {
            problems.Add("do_predict needs predict_with_generate: true, which has the answers generated");
        }

        if (run is { ComputeAccuracy: true, PredictWithGenerate: true })
        {
            problems.Add("compute_accuracy and predict_with_generate exclude each other; keep one of them");
        }

        if (run.DoPredict && config.Data.ValSize == 0 && config.Data.EvalDataset.Count == 0)
        {
            problems.Add("do_predict needs samples: set eval_dataset or val_size");
        }

        if (run.EarlyStoppingSteps is not null && run.EvalStrategy == IntervalStrategy.No)
        {
            problems.Add("early_stopping_steps needs evaluations: set eval_strategy: steps or epoch");
        }

        if (run.LoadBestModelAtEnd)
        {
            Best(run, problems);
        }
    }

    /// <summary>Only what was measured and saved at the same step can be the best.</summary>
    private static void Best(RunSection run, ICollection<string> problems)
    {
        if (run.EvalStrategy != run.SaveStrategy)
        {
            problems.Add($"load_best_model_at_end needs eval_strategy and save_strategy to be the same; they are {ConfigKey.SnakeCase($"{run.EvalStrategy}")} "
                + $"and {ConfigKey.SnakeCase($"{run.SaveStrategy}")}");
        }
        else if (run.EvalStrategy == IntervalStrategy.No)
        {
            problems.Add("load_best_model_at_end needs evaluations and checkpoints: set eval_strategy and save_strategy to steps or epoch");
        }
        else if (run.EvalStrategy == IntervalStrategy.Steps && !IsMultiple(run.SaveSteps, run.EvalSteps ?? run.LoggingSteps))
        {
            problems.Add($"load_best_model_at_end needs save_steps to be a multiple of eval_steps; they are {run.SaveSteps} and "
                + $"{run.EvalSteps ?? run.LoggingSteps}");
        }
    }

    private static bool IsMultiple(StepInterval save, StepInterval eval)
    {
        // Parts of a run and whole steps cannot be compared before its length is known; parts are compared with a digit to spare for rounding.
        const double places = 1e6;
        return save.Value < 1 == eval.Value < 1 && (save.Value < 1
            ? (long)Math.Round(save.Value * places) % Math.Max(1, (long)Math.Round(eval.Value * places)) == 0
            : (long)save.Value % (long)eval.Value == 0);
    }
}
