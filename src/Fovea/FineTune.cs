using Fovea.Distributed;
using Fovea.Events;
using Fovea.Running;
using Fovea.Runs.Events;
using Fovea.Training.Config;
using Fovea.Training.Planning;
using Fovea.Training.Recipes;
using Fovea.Training.Session;
using Microsoft.Extensions.Logging;

namespace Fovea;

/// <summary>
/// A fine-tuning run: of which model, on which conversations, with which settings, to which folder. It is described first and then planned or run; each run
/// reads the description anew. A run that is started again with the same output folder resumes from its newest checkpoint.
/// </summary>
/// <example>
/// <code>
/// var run = FineTune.Of("models/Qwen2.5-VL-3B-Instruct").On("data/receipts.jsonl")
///     .With(o => { o.Lora.Rank = 16; o.Optimizer.LearningRate = 1e-4; }).To("saves/receipts");
/// var result = await run.RunAsync(e => Console.WriteLine(e), cancel);
/// </code>
/// </example>
public sealed class FineTune
{
    private static int running;

    private readonly IReadOnlyList<ConfigEntry> file;
    private readonly TrainConfig? whole;
    private readonly FineTuneOptions options = new();
    private readonly List<string> train = [];
    private readonly List<string> heldOut = [];
    private readonly Dictionary<string, IAsyncEnumerable<Conversation>> given = [];
    private readonly Dictionary<string, Metric> metrics = [];
    private string? model;
    private string? target;
    private ILogger? logger;

    private FineTune(IReadOnlyList<ConfigEntry> file, TrainConfig? whole = null) => (this.file, this.whole) = (file, whole);

    /// <summary>A run over a base model, with LLaMA-Factory's defaults.</summary>
    /// <param name="modelFolder">A Hugging Face model folder.</param>
    public static FineTune Of(string modelFolder)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelFolder);
        return new FineTune([]) { model = modelFolder };
    }

    /// <summary>A run described by a configuration file, with LLaMA-Factory's keys.</summary>
    /// <param name="path">A YAML or JSON file.</param>
    /// <exception cref="ConfigException">The file cannot be read. Its keys are checked when the run is planned or started.</exception>
    public static FineTune FromFile(string path) => new(ConfigFile.Read(path));

    /// <summary>A run whose configuration is complete.</summary>
    internal static FineTune Of(TrainConfig config) => new([], config);

    /// <summary>Adds datasets to train on. Datasets given here replace those of a configuration file.</summary>
    /// <param name="datasets">Names of dataset_info.json, or files and folders (json, jsonl, csv, parquet, tar).</param>
    public FineTune On(params string[] datasets)
    {
        train.AddRange(datasets);
        return this;
    }

    /// <summary>Adds conversations to train on.</summary>
    /// <param name="conversations">Each ends with the answer to train on. They are read once, before the first step, and kept in memory; image files
    /// are not.</param>
    public FineTune On(IEnumerable<Conversation> conversations) => On(conversations.ToAsyncEnumerable());

    /// <summary>Adds conversations to train on.</summary>
    /// <param name="conversations">Each ends with the answer to train on. They are read once, before the first step, and kept in memory; image files
    /// are not.</param>
    public FineTune On(IAsyncEnumerable<Conversation> conversations)
    {
        train.Add(Give("conversations", conversations));
        return this;
    }

    /// <summary>Evaluates the loss on these datasets after training, and during it as <see cref="OutputSettings.EvalStrategy"/> specifies.</summary>
    /// <param name="datasets">Names of dataset_info.json, or files and folders.</param>
    public FineTune Measure(params string[] datasets)
    {
        heldOut.AddRange(datasets);
        return this;
    }

    /// <summary>Evaluates the loss on these conversations after training, and during it as <see cref="OutputSettings.EvalStrategy"/> specifies.</summary>
    /// <param name="conversations">Each ends with the expected answer; they should not be among those trained on.</param>
    public FineTune Measure(IEnumerable<Conversation> conversations) => Measure(conversations.ToAsyncEnumerable());

    /// <summary>Evaluates the loss on these conversations after training, and during it as <see cref="OutputSettings.EvalStrategy"/> specifies.</summary>
    /// <param name="conversations">Each ends with the expected answer; they should not be among those trained on.</param>
    public FineTune Measure(IAsyncEnumerable<Conversation> conversations)
    {
        heldOut.Add(Give("held-out conversations", conversations));
        return this;
    }

    /// <summary>
    /// Evaluates on these conversations and has the model answer them: the metric is logged as <c>eval_NAME</c> at every evaluation, of the first
    /// <see cref="OutputSettings.EvalGenerateSamples"/> of them.
    /// </summary>
    /// <param name="conversations">Each ends with the expected answer; they should not be among those trained on.</param>
    /// <param name="metric">Called on the run's thread, once an evaluation.</param>
    /// <param name="name">Letters, digits, <c>-</c>, <c>_</c> and <c>.</c>; null is the name of the method, <c>metric</c> for a lambda.</param>
    public FineTune Measure(IEnumerable<Conversation> conversations, Metric metric, string? name = null) =>
        Measure(conversations).Measure(metric, name);

    /// <summary>
    /// Has the model answer what is held out: the metric is logged as <c>eval_NAME</c> at every evaluation, of the first
    /// <see cref="OutputSettings.EvalGenerateSamples"/> samples. May be called several times.
    /// </summary>
    /// <param name="metric">Called on the run's thread, once an evaluation.</param>
    /// <param name="name">Letters, digits, <c>-</c>, <c>_</c> and <c>.</c>; null is the name of the method, <c>metric</c> for a lambda.</param>
    public FineTune Measure(Metric metric, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(metric);
        name ??= metric.Method.Name.Contains('<') ? "metric" : ConfigKey.SnakeCase(metric.Method.Name);
        if (name.Length == 0 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
        {
            throw new ArgumentException($"'{name}' cannot be a metric's name: letters, digits, -, _ and . can", nameof(name));
        }

        if (!metrics.TryAdd(name, metric))
        {
            throw new ArgumentException($"there is a metric named {name} already", nameof(name));
        }

        return this;
    }

    /// <summary>Changes the settings.</summary>
    /// <param name="change">Called immediately.</param>
    public FineTune With(Action<FineTuneOptions> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        change(options);
        return this;
    }

    /// <summary>Writes the adapter or model, checkpoints and logs to this folder.</summary>
    /// <param name="folder">Created if missing.</param>
    public FineTune To(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        target = folder;
        return this;
    }

    /// <summary>Logs the run's events, with ids and named values that docs/telemetry.md lists.</summary>
    /// <param name="logger">Called on the run's thread: training waits for it. If it throws, that is reported and it is not called again.</param>
    public FineTune LogTo(ILogger logger)
    {
        ArgumentNullException.ThrowIfNull(logger);
        this.logger = logger;
        return this;
    }

    /// <summary>Estimates the run's memory from the model's config.json; no weights are loaded and no data is read.</summary>
    /// <param name="request">Which numbers of GPUs and which settings to consider; null: those that make sense.</param>
    /// <exception cref="ConfigException">The settings cannot be used; all problems are listed.</exception>
    public MemoryPlan Plan(MemoryPlanRequest? request = null) => PlanRun.Run(HubNames.Locate(Configuration(ConfigUse.Plan), weights: false), request ?? new());

    /// <summary>Trains to the end, or until cancelled.</summary>
    /// <param name="cancel">Finishes the current step, saves a checkpoint, and completes the task with <see cref="FineTuneResult.Interrupted"/> set.</param>
    /// <exception cref="ConfigException">Settings, data or checkpoint cannot be used; all problems are listed, and nothing was trained.</exception>
    /// <exception cref="FoveaException">
    /// The run failed, for instance because the loss is no longer a finite number; or it ended and its result could not be pushed.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled while files came from a hub; a run with the same settings goes on from there.</exception>
    public Task<FineTuneResult> RunAsync(CancellationToken cancel = default) => RunAsync(_ => { }, cancel);

    /// <summary>Trains to the end, or until cancelled.</summary>
    /// <param name="progress">
    /// Receives the run's events. A <see cref="Progress{T}"/> posts them and, without a synchronisation context, may reorder them; the overload that takes
    /// an action calls it directly.
    /// </param>
    /// <param name="cancel">Finishes the current step, saves a checkpoint, and completes the task with <see cref="FineTuneResult.Interrupted"/> set.</param>
    /// <exception cref="ConfigException">Settings, data or checkpoint cannot be used; all problems are listed, and nothing was trained.</exception>
    /// <exception cref="FoveaException">
    /// The run failed, for instance because the loss is no longer a finite number; or it ended and its result could not be pushed.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled while files came from a hub; a run with the same settings goes on from there.</exception>
    public Task<FineTuneResult> RunAsync(IProgress<RunEvent> progress, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(progress);
        return RunAsync(progress.Report, cancel);
    }

    /// <summary>Trains to the end, or until cancelled.</summary>
    /// <param name="onEvent">Called for each of the run's events, in order, on the run's thread: training waits for it. If it throws, that is reported and
    /// it is not called again.</param>
    /// <param name="cancel">Finishes the current step, saves a checkpoint, and completes the task with <see cref="FineTuneResult.Interrupted"/> set.</param>
    /// <exception cref="ConfigException">Settings, data or checkpoint cannot be used; all problems are listed, and nothing was trained.</exception>
    /// <exception cref="FoveaException">
    /// The run failed, for instance because the loss is no longer a finite number; or it ended and its result could not be pushed.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled while files came from a hub; a run with the same settings goes on from there.</exception>
    public async Task<FineTuneResult> RunAsync(Action<RunEvent> onEvent, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(onEvent);
        var config = Configuration(ConfigUse.Train);
        if (Interlocked.Exchange(ref running, 1) == 1)
        {
            throw new InvalidOperationException("another run is in progress in this process, and both would share its random numbers: await that one first");
        }

        try
        {
            var conversations = new Dictionary<string, IReadOnlyList<Conversation>>();
            foreach (var (name, source) in given)
            {
                conversations.Add(name, await source.ToListAsync(cancel).ConfigureAwait(false));
            }

            config = config with { Data = config.Data with { Given = conversations } };
            IEventSink[] views = logger is null ? [new CallbackSink(onEvent)] : [new CallbackSink(onEvent), new LoggerSink(logger)];
            return await BlockingWork.Run(() => Run(config, views, cancel)).ConfigureAwait(false);
        }
        finally
        {
            Volatile.Write(ref running, 0);
        }
    }

    /// <summary>As the command line runs it: on this thread, with views of its own, perhaps as one of several processes.</summary>
    internal FineTuneResult Run(IEnumerable<IEventSink> views, CancellationToken cancel, Mesh? mesh = null, Action<string>? say = null) =>
        Run(Configuration(ConfigUse.Train), views, cancel, mesh, say);

    private static FineTuneResult Run(
        TrainConfig config, IEnumerable<IEventSink> views, CancellationToken cancel, Mesh? mesh = null, Action<string>? say = null)
    {
        var result = new ResultSink();
        views = [.. views];
        HubResult.CheckPush(config);
        config = HubNames.Locate(config, mesh, new FetchedFiles([.. views]), cancel: cancel);

        // A run closes its views; here they go on.
        var during = config.Run.DoPredict ? views.Select(view => new CallbackSink(view.Write)) : views;
        var outcome = config.Run.DoTrain
            ? SupervisedFineTune.Run(config, during.Append(result), cancel, mesh)
            : new RunOutcome(Step: 0, Interrupted: false, TrainLoss: null);
        if (config.Run.DoPredict && !outcome.Interrupted)
        {
            outcome = outcome with { Interrupted = !Predict(config.Run.DoTrain ? Trained(config) : config, views, cancel, mesh ?? Mesh.Alone()) };
        }

        if (config is { Hub.PushToHub: true, Run.DoTrain: true } && !outcome.Interrupted && mesh is null or { IsMain: true })
        {
            HubResult.PushEnded(config, say ?? (_ => { }), cancel);
        }

        return result.Of(config.Run.OutputDir, outcome);
    }

    private static bool Predict(TrainConfig config, IEnumerable<IEventSink> views, CancellationToken cancel, Mesh mesh)
    {
        try
        {
            return Prediction.Run(config, source: null, views, mesh, again: false, cancel);
        }
        catch (Exception e)
        {
            mesh.Fail(e);
            throw;
        }
    }

    /// <summary>The configuration with the run's result as its model.</summary>
    private static TrainConfig Trained(TrainConfig config) => config with
    {
        Model = config.Tuning.FinetuningType == FinetuningType.Lora
            ? config.Model with { AdapterNameOrPath = [.. config.AdaptersBelow, config.Run.OutputDir] }
            : config.Model with { ModelNameOrPath = config.Run.OutputDir, AdapterNameOrPath = [] },
    };

    private string Give(string name, IAsyncEnumerable<Conversation> conversations)
    {
        ArgumentNullException.ThrowIfNull(conversations);
        var unique = name;
        for (var i = 2; given.ContainsKey(unique); i++)
        {
            unique = $"{name} {i}";
        }

        given.Add(unique, conversations);
        return unique;
    }

    internal TrainConfig Configuration(ConfigUse use)
    {
        if (whole is not null)
        {
            return whole;
        }

        List<ConfigEntry> entries = [.. OptionEntries.Of(options)];
        if (model is not null)
        {
            entries.Add(OptionEntries.One("model_name_or_path", "Of", model));
        }

        if (train.Count > 0)
        {
            entries.Add(OptionEntries.Many("dataset", "On", train));
        }

        if (heldOut.Count > 0)
        {
            entries.AddRange([OptionEntries.Many("eval_dataset", "Measure", heldOut), OptionEntries.One("do_eval", "Measure", "true")]);
        }

        if (target is not null)
        {
            entries.Add(OptionEntries.One("output_dir", "To", target));
        }

        var config = ConfigLoader.Load(file, entries, use);
        return config with { Run = config.Run with { AnswerMetrics = metrics } };
    }
}
