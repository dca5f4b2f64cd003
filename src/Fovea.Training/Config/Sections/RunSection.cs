using Fovea.Keys;
using Fovea.Runs.Trackers;
using Fovea.Training.Session;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>What a run does besides training, and what it writes.</summary>
internal sealed record RunSection
{
    /// <summary>Train. Where it is not given, <c>do_predict: true</c> means false, as in LLaMA-Factory.</summary>
    [Affects(Execution)] public bool DoTrain { get; init; } = true;

    /// <summary>Evaluate once after training.</summary>
    [Affects(Output)] public bool DoEval { get; init; }

    /// <summary>Answer the held-out samples, after training if there is any, and write <c>generated_predictions.jsonl</c>; see predictions.md.</summary>
    [Affects(Output)] public bool DoPredict { get; init; }

    /// <summary>Generate answers when evaluating, and log BLEU-4 and ROUGE beside the loss; required by <c>do_predict</c>.</summary>
    [Affects(Output)] public bool PredictWithGenerate { get; init; }

    /// <summary>How many held-out samples are answered at each evaluation, the first ones.</summary>
    [Bounds(1)]
    [Affects(Output)] public int EvalGenerateSamples { get; init; } = 64;

    /// <summary>Log <c>eval_accuracy</c>: the share of a sample's trained tokens that have the largest logit, averaged over samples.</summary>
    [Affects(Output)] public bool ComputeAccuracy { get; init; }

    /// <summary>Make the best checkpoint the result instead of the last weights; saving and evaluation must take turns.</summary>
    [Affects(Output)] public bool LoadBestModelAtEnd { get; init; }

    /// <summary>The evaluation's metric that decides which checkpoint is best, with or without <c>eval_</c>; null is the loss where one is needed.</summary>
    [Affects(Output)] public string? MetricForBestModel { get; init; }

    /// <summary>Whether more of that metric is better; null: unless its name ends in <c>loss</c>.</summary>
    [Affects(Output)] public bool? GreaterIsBetter { get; init; }

    /// <summary>Stop after so many evaluations in a row without a better metric; null is never.</summary>
    [Bounds(1)]
    [Affects(Output)] public int? EarlyStoppingSteps { get; init; }

    /// <summary>Where the adapter or model, checkpoints and logs are written.</summary>
    [FilePath, Affects(Output)] public string OutputDir { get; init; } = string.Empty;

    /// <summary>Start over in a non-empty folder; Fovea's checkpoints in it are removed after the first step. Otherwise they are resumed.</summary>
    [Affects(Output)] public bool OverwriteOutputDir { get; init; }

    /// <summary>Steps between two logged losses; a fraction of total steps if below 1.</summary>
    [Affects(Output)] public StepInterval LoggingSteps { get; init; } = 500;

    /// <summary>Log the first step too.</summary>
    [Affects(Output)] public bool LoggingFirstStep { get; init; }

    /// <summary>When checkpoints are saved.</summary>
    [Affects(Output)] public IntervalStrategy SaveStrategy { get; init; } = IntervalStrategy.Steps;

    /// <summary>Steps between two checkpoints; a fraction of total steps if below 1.</summary>
    [Affects(Output)] public StepInterval SaveSteps { get; init; } = 500;

    /// <summary>Number of checkpoints kept, those written last; null keeps all.</summary>
    [Bounds(1)]
    [Affects(Output)] public int? SaveTotalLimit { get; init; }

    /// <summary>Save no optimizer or random state: such a checkpoint cannot be resumed.</summary>
    [Affects(Output)] public bool SaveOnlyModel { get; init; }

    /// <summary>Plot the loss to training_loss.svg and .png.</summary>
    [Affects(Output)] public bool PlotLoss { get; init; }

    /// <summary>Trackers: <c>tensorboard</c>, <c>mlflow</c>; <c>all</c> that can be reached; <c>none</c>. See telemetry.md.</summary>
    [Affects(Output)] public IReadOnlyList<string> ReportTo { get; init; } = [];

    /// <summary>Folder of TensorBoard event files; null is a new folder under <c>output_dir/runs</c>.</summary>
    [FilePath, Affects(Output)] public string? LoggingDir { get; init; }

    /// <summary>Name of the run in trackers and measurements; null is the name of <see cref="OutputDir"/>.</summary>
    [Affects(Output)] public string? RunName { get; init; }

    /// <summary>A checkpoint; <c>true</c>: the last written in <see cref="OutputDir"/>; <c>auto</c>: that, if any; MiniMind-V's <c>_resume.pth</c>.</summary>
    [FilePath, Affects(Output)] public string? ResumeFromCheckpoint { get; init; }

    /// <summary>Random seed for new adapters, dropout and data order.</summary>
    [Bounds(0)]
    [Affects(Learning)] public int Seed { get; init; } = 42;

    /// <summary>Random seed for the data order; null is <see cref="Seed"/>.</summary>
    [Bounds(0)]
    [Affects(Learning, As = nameof(RunProgress.Seed))] public int? DataSeed { get; init; }

    /// <summary>When held-out samples are evaluated.</summary>
    [Alias("evaluation_strategy")]
    [Affects(Output)] public IntervalStrategy EvalStrategy { get; init; } = IntervalStrategy.No;

    /// <summary>Steps between two evaluations; null is <see cref="LoggingSteps"/>.</summary>
    [Affects(Output)] public StepInterval? EvalSteps { get; init; }

    /// <summary>Samples per evaluation batch; for generated answers it only counts the steps per second that are reported.</summary>
    [Bounds(1)]
    [Affects(Output)] public int PerDeviceEvalBatchSize { get; init; } = 8;

    /// <summary>Write a trace of where the time goes, by block, to the output folder.</summary>
    [Affects(Output)] public bool Profile { get; init; }

    public bool UseTensorBoard => TrackerNames.Of(ReportTo).Contains(TrackerNames.TensorBoard);

    public bool UseMlflow => TrackerNames.Of(ReportTo).Contains(TrackerNames.Mlflow);

    public string EffectiveRunName => RunName ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(OutputDir));

    public int EffectiveDataSeed => DataSeed ?? Seed;

    /// <summary>Metrics of generated answers that a program gives, by the names under which they are logged.</summary>
    public IReadOnlyDictionary<string, Metric> AnswerMetrics { get; init; } = new Dictionary<string, Metric>();

    /// <summary>Whether evaluations generate answers.</summary>
    public bool AnswersWhenEvaluating => PredictWithGenerate || AnswerMetrics.Count > 0;

    /// <summary>Whether there is any evaluation, during training or after it.</summary>
    public bool Evaluates => EvalStrategy != IntervalStrategy.No || DoEval;
}
