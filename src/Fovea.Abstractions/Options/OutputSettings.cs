namespace Fovea;

/// <summary>Logs, evaluations and checkpoints. A setting that is null keeps the configuration's value or the default.</summary>
public sealed class OutputSettings
{
    /// <summary>Steps between two logs; a value below 1 is a fraction of all steps. Default 500.</summary>
    [Key("logging_steps")]
    public double? LoggingSteps { get; set; }

    /// <summary>When checkpoints are written; default: every <see cref="SaveSteps"/>.</summary>
    [Key("save_strategy")]
    public IntervalStrategy? SaveStrategy { get; set; }

    /// <summary>Steps between two checkpoints; a value below 1 is a fraction of all steps. Default 500.</summary>
    [Key("save_steps")]
    public double? SaveSteps { get; set; }

    /// <summary>How many of the newest checkpoints are kept; at least 1, default all.</summary>
    [Key("save_total_limit")]
    public int? SaveTotalLimit { get; set; }

    /// <summary>When held-out samples are evaluated during the run; default: never.</summary>
    [Key("eval_strategy")]
    public IntervalStrategy? EvalStrategy { get; set; }

    /// <summary>Steps between two evaluations; a value below 1 is a fraction of all steps. Default: as often as logs.</summary>
    [Key("eval_steps")]
    public double? EvalSteps { get; set; }

    /// <summary>Generate answers when evaluating, and log BLEU-4 and ROUGE; default false.</summary>
    [Key("predict_with_generate")]
    public bool? PredictWithGenerate { get; set; }

    /// <summary>How many held-out samples are answered at each evaluation, the first ones; at least 1, default 64.</summary>
    [Key("eval_generate_samples")]
    public int? EvalGenerateSamples { get; set; }

    /// <summary>Make the best checkpoint the result instead of the last weights; default false.</summary>
    [Key("load_best_model_at_end")]
    public bool? LoadBestModelAtEnd { get; set; }

    /// <summary>The metric that decides which checkpoint is best, for instance <c>loss</c> (the default) or a metric's own name.</summary>
    [Key("metric_for_best_model")]
    public string? MetricForBestModel { get; set; }

    /// <summary>Whether more of that metric is better; default: unless its name ends in <c>loss</c>.</summary>
    [Key("greater_is_better")]
    public bool? GreaterIsBetter { get; set; }

    /// <summary>Stop after so many evaluations in a row without a better metric; at least 1, default never.</summary>
    [Key("early_stopping_steps")]
    public int? EarlyStoppingSteps { get; set; }

    /// <summary>Write a chart of the loss to the output folder; default false.</summary>
    [Key("plot_loss")]
    public bool? PlotLoss { get; set; }

    /// <summary>Trackers to write to: <c>tensorboard</c>, <c>mlflow</c>, <c>all</c> that can be reached, or <c>none</c> (the default).</summary>
    [Key("report_to")]
    public IReadOnlyList<string>? ReportTo { get; set; }

    /// <summary>
    /// <c>true</c> resumes from the newest checkpoint in the output folder, a path from that checkpoint. Default: as <c>true</c> if the folder holds one and
    /// <see cref="Overwrite"/> is not set, else a new run.
    /// </summary>
    [Key("resume_from_checkpoint")]
    public string? ResumeFrom { get; set; }

    /// <summary>Allow an output folder that holds the results of another run; default false.</summary>
    [Key("overwrite_output_dir")]
    public bool? Overwrite { get; set; }
}
