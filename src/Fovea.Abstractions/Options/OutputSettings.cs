namespace Fovea;

/// <summary>Logs, evaluations and checkpoints. A setting that is null keeps the configuration's value or the default.</summary>
public sealed class OutputSettings
{
    /// <summary>Steps between two logs; below 1 it is a share of all steps. Default 500.</summary>
    [Key("logging_steps")]
    public double? LoggingSteps { get; set; }

    /// <summary>When checkpoints are written; default: every <see cref="SaveSteps"/>.</summary>
    [Key("save_strategy")]
    public IntervalStrategy? SaveStrategy { get; set; }

    /// <summary>Steps between two checkpoints; below 1 it is a share of all steps. Default 500.</summary>
    [Key("save_steps")]
    public double? SaveSteps { get; set; }

    /// <summary>How many checkpoints are kept, the newest ones; at least 1, default all.</summary>
    [Key("save_total_limit")]
    public int? SaveTotalLimit { get; set; }

    /// <summary>When held-out samples are measured during the run; default: never.</summary>
    [Key("eval_strategy")]
    public IntervalStrategy? EvalStrategy { get; set; }

    /// <summary>Steps between two evaluations; below 1 it is a share of all steps. Default: as often as logs.</summary>
    [Key("eval_steps")]
    public double? EvalSteps { get; set; }

    /// <summary>Draw the curve of the loss into the output folder; default false.</summary>
    [Key("plot_loss")]
    public bool? PlotLoss { get; set; }

    /// <summary>Trackers to write to: <c>tensorboard</c>, or <c>none</c> (the default).</summary>
    [Key("report_to")]
    public IReadOnlyList<string>? ReportTo { get; set; }

    /// <summary><c>true</c> goes on from the newest checkpoint of the output folder, a folder from that one. Default: a new run begins.</summary>
    [Key("resume_from_checkpoint")]
    public string? ResumeFrom { get; set; }

    /// <summary>Allow an output folder that holds the results of another run; default false.</summary>
    [Key("overwrite_output_dir")]
    public bool? Overwrite { get; set; }
}
