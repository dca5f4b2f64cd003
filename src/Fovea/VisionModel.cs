using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Fovea.Data.Datasets;
using Fovea.Distributed;
using Fovea.Evaluation.Objects;
using Fovea.Evaluation.Results;
using Fovea.Evaluation.Running;
using Fovea.Events;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Loading;
using Fovea.Models;
using Fovea.Running;
using Fovea.Tensors;
using Fovea.Training.Answers;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea;

/// <summary>
/// A vision-language model loaded for inference. Methods may be called concurrently from any thread: each model has a thread of its own, and questions that
/// are asked at the same time are answered together, in batches.
/// </summary>
public sealed class VisionModel : IAsyncDisposable
{
    private readonly TrainConfig config;
    private readonly ModelThread thread;
    private readonly LoadedModel loaded;
    private readonly Mesh? mesh;

    private VisionModel(TrainConfig config, ModelThread thread, LoadedModel loaded, Mesh? mesh)
    {
        (this.config, this.thread, this.loaded, this.mesh) = (config, thread, loaded, mesh);
        Folder = new ModelFolder(loaded.Source);
        Device = $"{loaded.Model.Device}";
        Parameters = loaded.Model.Ledger.Count + loaded.Model.Ledger.AdapterParameters.Sum(p => p.Count);
        Notices = loaded.Model.Notices;
    }

    /// <summary>The folder from which the model was loaded.</summary>
    public ModelFolder Folder { get; }

    /// <summary>The device that the model runs on: <c>cpu</c> or <c>cuda:N</c>.</summary>
    public string Device { get; }

    /// <summary>Number of parameters, adapters included.</summary>
    public long Parameters { get; }

    /// <summary>What in the folder has no effect, in sentences.</summary>
    public IReadOnlyList<string> Notices { get; }

    /// <summary>How answers are generated unless a call specifies otherwise: the folder's generation_config.json. Derive variants with <c>with</c>.</summary>
    public GenerationOptions Generation => loaded.Options;

    internal LoadedModel Loaded => loaded;

    /// <summary>Called on the model's thread after each pass.</summary>
    internal Action? Passed { get; set; }

    /// <summary>There are questions that the engine has not answered yet. On the model's thread.</summary>
    internal void Wake() => thread.Wake();

    /// <summary>Loads a model folder.</summary>
    /// <param name="folder">A Hugging Face model folder of a supported family (<see cref="ModelFolder.SupportedTypes"/>).</param>
    /// <param name="options">Adapters, device, element type and so on.</param>
    /// <param name="cancel">Checked before loading begins.</param>
    /// <exception cref="ConfigException">The folder, an adapter or an option cannot be used.</exception>
    /// <exception cref="FoveaException">Weights are missing or damaged, or libtorch cannot be loaded.</exception>
    public static Task<VisionModel> LoadAsync(string folder, VisionModelOptions? options = null, CancellationToken cancel = default) =>
        LoadAsync(folder, options, engine: null, cancel);

    internal static async Task<VisionModel> LoadAsync(string folder, VisionModelOptions? options, EngineOptions? engine, CancellationToken cancel)
    {
        options ??= new();
        var note = options.Notices ?? (_ => { });
        var config = ConfigOf(UserPath.Expand(folder), options);
        var model = await LoadAsync(config, source: null, fromModel: true, note, mesh: null, cancel, engine).ConfigureAwait(false);
        try
        {
            foreach (var (name, adapter) in options.NamedAdapters)
            {
                await model.Run(
                    () =>
                    {
                        var names = new HubNames(config.Hub, progress: FetchedFiles.Sentences(note), cancel: cancel);
                        model.loaded.Add(name, names.Adapter(UserPath.Expand(adapter)), note);
                        return true;
                    }, cancel).ConfigureAwait(false);
            }

            return model;
        }
        catch
        {
            await model.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>As the public one, for a configuration, whose model folder may be open already, and perhaps by several processes together.</summary>
    internal static async Task<VisionModel> LoadAsync(
        TrainConfig config, ModelSource? source, bool fromModel, Action<string> note, Mesh? mesh, CancellationToken cancel, EngineOptions? engine = null)
    {
        var thread = new ModelThread("model");
        try
        {
            config = await thread.Run(() => HubNames.Locate(config, mesh, FetchedFiles.Sentences(note), cancel: cancel), cancel).ConfigureAwait(false);
            var loaded = await thread.Run(
                () => LoadedModel.Load(config, source ?? BaseModel.Open(config), fromModel, note, mesh, engine), cancel)
                .ConfigureAwait(false);
            var model = new VisionModel(config, thread, loaded, mesh);
            thread.Background = model.Step;
            return model;
        }
        catch
        {
            await thread.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Answers the last question of a conversation.</summary>
    /// <param name="messages">An optional system message, earlier questions with their answers, and an open question.</param>
    /// <param name="options">How to generate; null uses <see cref="Generation"/>.</param>
    /// <param name="cancel">Ends the answer at its next token.</param>
    /// <exception cref="ConfigException">The model does not support something in the conversation, or an option is out of range.</exception>
    /// <exception cref="FoveaException">An image cannot be read; the message names it.</exception>
    /// <exception cref="OperationCanceledException">The answer was cancelled.</exception>
    public async Task<ChatAnswer> AnswerAsync(IReadOnlyList<Message> messages, GenerationOptions? options = null, CancellationToken cancel = default)
    {
        var answer = await Answer(messages, options, onText: null, cancel).ConfigureAwait(false);
        return answer.Generation.Reason == StopReason.Cancelled ? throw new OperationCanceledException(cancel) : answer;
    }

    /// <summary>Answers the last question of a conversation, streaming the answer as it is generated.</summary>
    /// <param name="messages">An optional system message, earlier questions with their answers, and an open question.</param>
    /// <param name="options">How to generate; null uses <see cref="Generation"/>.</param>
    /// <param name="cancel">Ends the answer at its next token; leaving the loop does the same.</param>
    /// <returns>Pieces of text, never splitting a character; at least one if the answer is not empty.</returns>
    /// <exception cref="ConfigException">The model does not support something in the conversation, or an option is out of range.</exception>
    /// <exception cref="FoveaException">An image cannot be read; the message names it.</exception>
    /// <exception cref="OperationCanceledException">The answer was cancelled.</exception>
    public IAsyncEnumerable<string> StreamAsync(IReadOnlyList<Message> messages, GenerationOptions? options = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return Stream((say, stop) => Answer(messages, options, say, stop), cancel);
    }

    /// <summary>Answers the last questions of many conversations, which is faster than asking one after the other.</summary>
    /// <param name="conversations">
    /// Each as for <see cref="AnswerAsync"/>. They are read as there is room for them, on the model's thread, and may be endless.
    /// </param>
    /// <param name="options">How to generate; null uses <see cref="Generation"/>. With a seed each conversation draws from the seed and its index.</param>
    /// <param name="cancel">Ends all answers at their next tokens; leaving the loop does the same.</param>
    /// <returns>
    /// One outcome for each conversation, as they are ready: the order need not be the given one. A conversation that cannot be answered is reported in its
    /// outcome and stops nothing. Other calls to the model wait meanwhile.
    /// </returns>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    /// <exception cref="OperationCanceledException">The answers were cancelled.</exception>
    public IAsyncEnumerable<AnswerOutcome> AnswerAllAsync(
        IEnumerable<IReadOnlyList<Message>> conversations, GenerationOptions? options = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(conversations);
        return AnswerAll(conversations.Select(messages => new Conversation([.. messages])), options, cancel);
    }

    private IAsyncEnumerable<AnswerOutcome> AnswerAll(IEnumerable<Conversation> conversations, GenerationOptions? options, CancellationToken cancel)
    {
        var chosen = With(options);
        chosen.Check();
        var requests = conversations.Select((conversation, index) => new AnswerRequest(
            conversation, chosen.Seed is { } seed ? chosen with { Seed = SplitMix.Mix(seed, (ulong)index) } : chosen) { Tag = index });
        return ManyAnswers.Stream(this, requests, cancel);
    }

    /// <summary>Answers held-out conversations: the last message of each is the expected answer, which the model does not see.</summary>
    /// <param name="heldOut">Conversations, each ending with the expected answer.</param>
    /// <param name="options">How to generate; null uses <see cref="Generation"/>. With a seed each conversation draws from the seed and its index.</param>
    /// <param name="cancel">Ends all answers at their next tokens; leaving the loop does the same.</param>
    /// <returns>The conversations with their answers as they are ready; metrics such as <see cref="Metrics.ExactMatch"/> take a list of them.</returns>
    /// <exception cref="ConfigException">A conversation does not end with a question and its answer, or an option is out of range.</exception>
    /// <exception cref="FoveaException">One of them cannot be answered.</exception>
    /// <exception cref="OperationCanceledException">The answers were cancelled.</exception>
    public async IAsyncEnumerable<AnsweredRow> PredictAsync(
        IEnumerable<Conversation> heldOut, GenerationOptions? options = null, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(heldOut);
        var rows = heldOut.ToList();
        await foreach (var outcome in Predict(rows, options, cancel).ConfigureAwait(false))
        {
            yield return new AnsweredRow(rows[outcome.Index], outcome.Answer.Text);
        }
    }

    /// <summary>Starts a multi-turn conversation with this model.</summary>
    /// <param name="system">The system prompt; null is the default one.</param>
    public Chat NewChat(string? system = null) => new(this, system);

    /// <summary>Evaluates the loss on held-out conversations, as <c>fovea eval</c> does.</summary>
    /// <param name="heldOut">Conversations, each ending with the expected answer.</param>
    /// <param name="cancel">Checked before the evaluation begins.</param>
    /// <exception cref="ConfigException">Some conversations cannot be used; all of these are listed.</exception>
    public async Task<LossMetrics> MeasureAsync(IEnumerable<Conversation> heldOut, CancellationToken cancel = default)
    {
        const string name = "conversations";
        var given = new Dictionary<string, IReadOnlyList<Conversation>> { [name] = [.. heldOut] };
        var asked = config with { Data = config.Data with { EvalDataset = [name], EvalOnEachDataset = false, Given = given } };
        return Of((await Measure(asked, tell: null, cancel).ConfigureAwait(false))[0]);
    }

    /// <summary>Answers held-out conversations, many at a time, and computes metrics of the answers.</summary>
    /// <param name="heldOut">Conversations, each ending with the expected answer.</param>
    /// <param name="metrics">The metrics by the names that the result has them under; each sees all rows at once.</param>
    /// <param name="options">How to generate; null is greedy, otherwise as <see cref="Generation"/>. Answers are those of <see cref="PredictAsync"/>.</param>
    /// <param name="cancel">Ends all answers.</param>
    /// <exception cref="ConfigException">A conversation does not end with an answer, or holds what the model does not support.</exception>
    /// <exception cref="FoveaException">An image cannot be read; the message names it.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task<AnswerScores> EvaluateAsync(
        IEnumerable<Conversation> heldOut, IReadOnlyDictionary<string, Metric> metrics, GenerationOptions? options = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        var given = heldOut.ToList();
        var rows = new AnsweredRow[given.Count];
        await foreach (var outcome in Predict(given, options ?? Generation with { DoSample = false }, cancel).ConfigureAwait(false))
        {
            rows[outcome.Index] = new AnsweredRow(given[outcome.Index], outcome.Answer.Text);
        }

        return new AnswerScores(rows, metrics.ToDictionary(metric => metric.Key, metric => metric.Value(rows)));
    }

    /// <summary>Asks a benchmark and scores the answers by its published rule, as <c>fovea evaluate</c> does. Answers are greedy.</summary>
    /// <param name="name">The benchmark's, for instance <c>okvqa</c>: those that <c>fovea evaluate</c> lists, or <c>custom</c> for rows of one's own.</param>
    /// <param name="data">Its file, or the folder of its files; null where it needs none, or the options name them.</param>
    /// <param name="options">How to ask; null is as the benchmark recommends.</param>
    /// <param name="cancel">Ends all answers; those that are whole are kept where there is an output folder.</param>
    /// <exception cref="ConfigException">There is no such benchmark, its files cannot be used, or the folder's answers were made otherwise.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task<BenchmarkScores> EvaluateBenchmarkAsync(
        string name, string? data = null, BenchmarkOptions? options = null, CancellationToken cancel = default)
    {
        var request = EvaluationRequest.Of(name, data, options ?? new());
        var questions = await Task.Run(() => QuestionSet.Read(request), cancel).ConfigureAwait(false);
        Action<BenchmarkProgress>? told = options?.Progress is { } progress ? of => progress(of.Done, of.Total) : null;
        var result = (await Evaluate(request, questions, told, cancel).ConfigureAwait(false))!;
        ResultFolder.Write(request, result);
        return result.Scores;
    }

    /// <summary>Frees the model, after pending calls have completed.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await thread.Run<object?>(() =>
            {
                loaded.Engine.Run();
                loaded.Dispose();
                return null;
            }).ConfigureAwait(false);
        }
        catch (ObjectDisposedException)
        {
            return; // a second time
        }

        await thread.DisposeAsync().ConfigureAwait(false);
    }

    internal static LossMetrics Of(Evaluated measured) => new(
        measured.Samples, measured.Loss, Number(measured, "perplexity"), Number(measured, "token_accuracy"));

    /// <summary>Answers a benchmark; null in all processes but the main one.</summary>
    internal Task<EvaluationResult?> Evaluate(
        EvaluationRequest request, QuestionSet questions, Action<BenchmarkProgress>? told, CancellationToken cancel) =>
        Run(() => new BenchmarkRun(loaded, config, mesh ?? Mesh.Alone(), request).Run(questions, told, cancel), cancel);

    // On what a configuration holds out; notices about the data go to the callback, one sentence at a time.
    internal Task<IReadOnlyList<Evaluated>> Measure(TrainConfig asked, Action<string>? tell, CancellationToken cancel = default) =>
        Run(() => HeldOutEvaluation.Run(asked, loaded.Source, loaded.Model, mesh, loaded.Weights, tell), cancel);

    /// <summary>Runs something on the model's thread.</summary>
    internal Task<T> Run<T>(Func<T> work, CancellationToken cancel = default) => thread.Run(work, cancel);

    private bool Step()
    {
        try
        {
            return loaded.Engine.Step();
        }
        finally
        {
            Passed?.Invoke();
        }
    }

    /// <summary>What is said becomes a stream; whoever leaves it cancels the answer.</summary>
    internal static async IAsyncEnumerable<string> Stream(
        Func<Action<string>, CancellationToken, Task<ChatAnswer>> ask, [EnumeratorCancellation] CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var pieces = Channel.CreateUnbounded<string>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        var answer = Fill();
        try
        {
            await foreach (var piece in pieces.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                yield return piece;
            }

            await answer.ConfigureAwait(false);
            cancel.ThrowIfCancellationRequested();
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await answer.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        async Task Fill()
        {
            try
            {
                await ask(piece => pieces.Writer.TryWrite(piece), stop.Token).ConfigureAwait(false);
            }
            finally
            {
                pieces.Writer.Complete();
            }
        }
    }

    /// <summary>The boxes and points that an answer writes, in whatever form, in pixels of the original image.</summary>
    /// <param name="answer">The text of an answer; its numbers are taken for what the model's family counts.</param>
    /// <param name="image">The image that the answer is about.</param>
    /// <exception cref="ConfigException">The image cannot be read, or the family writes no places.</exception>
    public IReadOnlyList<ObjectPlace> PlacesIn(string answer, MediaSource image)
    {
        var frame = loaded.Objects.FrameOf(image);
        return [.. PlaceReader.Read(answer).Select(numbers => frame.FromModel(numbers, 0))];
    }

    /// <summary>Asks held-out conversations without their last messages.</summary>
    private IAsyncEnumerable<AnswerOutcome> Predict(List<Conversation> heldOut, GenerationOptions? options, CancellationToken cancel)
    {
        var bad = heldOut.FindIndex(row => row.Messages is not [.., { Role: Role.User or Role.Tool }, { Role: Role.Assistant }]);
        return bad < 0 ? AnswerAll(heldOut.Select(RowQuestions.Asked), options, cancel)
            : throw new ConfigException($"conversation {bad + 1} does not end with a question and the expected answer");
    }

    private static double? Number(Evaluated measured, string name) => measured.Metrics.TryGetValue(name, out var value) ? value : null;

    private static TrainConfig ConfigOf(string folder, VisionModelOptions options) => new()
    {
        Model = new ModelSection
        {
            ModelNameOrPath = folder,
            AdapterNameOrPath = [.. options.Adapters.Select(UserPath.Expand)],
            Device = options.Device,
            InferDtype = InferPrecision.Dtype(options.Precision),
            QuantizationBit = options.FourBit is null ? null : 4,
            QuantizationType = options.FourBit?.Type ?? FourBitType.Nf4,
            DoubleQuantization = options.FourBit?.DoubleQuantization ?? true,
            LlmInt8SkipModules = options.FourBit?.SkipModules ?? [],
        },
        Data = new DataOptions
        {
            Template = options.Template,
            DefaultSystem = options.SystemPrompt,
            EnableThinking = options.EnableThinking,
            ImageMaxPixels = AtLeastOne(options.ImageMaxPixels, nameof(options.ImageMaxPixels)),
            ImageMinPixels = AtLeastOne(options.ImageMinPixels, nameof(options.ImageMinPixels)),
        },
    };

    private static int AtLeastOne(int pixels, string name) => pixels >= 1 ? pixels : throw new ConfigException($"{name} is {pixels}, must be at least 1");

    private Task<ChatAnswer> Answer(IReadOnlyList<Message> messages, GenerationOptions? options, Action<string>? onText, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var asked = new Conversation([.. messages]);
        return Answer(new AnswerRequest(asked, With(options)), onText, cancel);
    }

    // Images and constraints are read by other threads, and questions that are asked at the same time are answered together.
    private async Task<ChatAnswer> Answer(AnswerRequest request, Action<string>? onText, CancellationToken cancel)
    {
        Answerer.RequireOne(request.Options);
        var form = await loaded.Answerer.FormOf(request.Options, cancel).ConfigureAwait(false);
        var prompt = await Task.Run(() => loaded.Answerer.PromptOf(request.Asked), cancel).ConfigureAwait(false);
        var answered = new TaskCompletionSource<ChatAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        await Run(
            () =>
            {
                loaded.Answerer.Submit(
                    prompt, request.Options, Answerer.Texts(onText), answers => answered.SetResult(answers[0]), answered.SetException, cancel, form);
                thread.Wake();
                return true;
            }, cancel).ConfigureAwait(false);
        return await answered.Task.ConfigureAwait(false);
    }

    /// <summary>The options of a call; where they name no tokens that end an answer, the model's do.</summary>
    internal GenerationOptions With(GenerationOptions? options) =>
        options is null ? Generation : options.StopIds.Count > 0 ? options : options with { StopIds = Generation.StopIds };
}
