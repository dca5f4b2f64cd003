using System.Runtime.CompilerServices;
using Fovea.Data.Images;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Serving;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fovea;

/// <summary>
/// A model, with any number of named adapters, that answers requests from any number of threads: each joins those that are being answered between two
/// tokens, and its tokens are those that it would get alone. It counts what it does with a meter named <c>Fovea</c>, and each request is a span of the
/// source <c>Fovea</c>.
/// </summary>
public sealed class ModelServer : IAsyncDisposable
{
    private readonly ModelServerOptions options;
    private readonly bool owns;
    private readonly ServerMeter meter;
    private readonly ServerLog log;
    private readonly CancellationTokenSource closing = new();
    private readonly SemaphoreSlim readers = new(Environment.ProcessorCount);
    private readonly Lock gate = new();
    private TaskCompletionSource? drained;
    private int taken;
    private volatile ServerStatus passed;

    /// <summary>Serves a loaded model, which stays the caller's.</summary>
    /// <param name="model">What else asks it meanwhile shares its time. Of <paramref name="options"/>, the size of the cache is the model's own.</param>
    /// <param name="options">Limits; null for the defaults.</param>
    /// <exception cref="ConfigException">An option is out of range.</exception>
    public ModelServer(VisionModel model, ModelServerOptions? options = null)
        : this(model, options, owns: false)
    {
    }

    private ModelServer(VisionModel model, ModelServerOptions? options, bool owns)
    {
        ArgumentNullException.ThrowIfNull(model);
        (Model, this.options, this.owns) = (model, options ?? new(), owns);
        this.options.Check();
        log = LogOf(this.options);
        var engine = model.Loaded.Engine;
        Name = this.options.Name ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(model.Folder.Path)));
        MaxTokens = (int)Math.Min(
            Math.Min(model.Loaded.Model.MaxTokens, this.options.MaxTokens ?? int.MaxValue), 1 + ((long)engine.MostPages * EngineOptions.PageTokens));
        Texts = new TokenTexts(model.Loaded.Tokenizer);
        passed = Look();
        model.Passed += Pass;
        meter = new ServerMeter(this);
        log.Ready(Name, model.Device, string.Join(", ", Adapters), MaxTokens);
    }

    /// <summary>The model that answers.</summary>
    public VisionModel Model { get; }

    /// <summary>The model's name.</summary>
    public string Name { get; }

    /// <summary>Names of the adapters that requests may ask for, in order.</summary>
    public IReadOnlyList<string> Adapters => Model.Loaded.AdapterNames;

    /// <summary>Most tokens of a prompt and its answer together.</summary>
    public int MaxTokens { get; }

    /// <summary>What it is doing now. From any thread.</summary>
    public ServerStatus Status
    {
        get
        {
            var now = passed;
            return now with { Queued = Math.Max(0, Volatile.Read(ref taken) - now.Running) };
        }
    }

    /// <summary>Loads a model folder and its adapters for serving.</summary>
    /// <param name="folder">A Hugging Face model folder of a supported family.</param>
    /// <param name="model">Adapters, device, element type and so on.</param>
    /// <param name="options">Limits; null for the defaults.</param>
    /// <param name="cancel">Checked before loading begins.</param>
    /// <exception cref="ConfigException">The folder, an adapter or an option cannot be used.</exception>
    /// <exception cref="FoveaException">Weights are missing or damaged, or libtorch cannot be loaded.</exception>
    public static async Task<ModelServer> LoadAsync(
        string folder, VisionModelOptions? model = null, ModelServerOptions? options = null, CancellationToken cancel = default)
    {
        options ??= new();
        options.Check();
        LogOf(options).Loading(folder);
        var engine = new EngineOptions { MostSequences = options.MaxRunning, CacheBytes = options.CacheBytes };
        var loaded = await VisionModel.LoadAsync(folder, model, engine, cancel).ConfigureAwait(false);
        try
        {
            return new ModelServer(loaded, options, owns: true);
        }
        catch
        {
            await loaded.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Answers a request, piece by piece as the answer is generated.</summary>
    /// <param name="request">What is asked, and how to generate.</param>
    /// <param name="cancel">Ends the answers at their next tokens and frees what they hold; leaving the loop does the same.</param>
    /// <returns>
    /// Pieces of all answers to the request (<see cref="GenerationOptions.Count"/>); those of one answer are in order, and its last has
    /// <see cref="ServedPiece.Reason"/> and <see cref="ServedPiece.Usage"/>.
    /// </returns>
    /// <exception cref="ServerBusyException">The queue is full, or the server takes nothing any more.</exception>
    /// <exception cref="ContextLengthException">The prompt is too long.</exception>
    /// <exception cref="ConfigException">The model does not take what is asked, an image cannot be read, or an option is out of range.</exception>
    /// <exception cref="FoveaException">The model failed.</exception>
    /// <exception cref="OperationCanceledException">The request was cancelled, by the caller or because the server was disposed.</exception>
    public async IAsyncEnumerable<ServedPiece> AnswerAsync(ServedRequest request, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var generation = Entered(request);
        var asked = new ServedWork(this, generation, request.Messages is not null);
        try
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel, closing.Token);
            try
            {
                await Submit(asked, request, generation, stop.Token).ConfigureAwait(false);
                await foreach (var piece in asked.Pieces.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
                {
                    ThrowIfStopped();
                    yield return piece;
                }

                ThrowIfStopped();
            }
            finally
            {
                // The engine lets go of the pages before the place is given to the next.
                await stop.CancelAsync().ConfigureAwait(false);
                await asked.Ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            void ThrowIfStopped()
            {
                if (stop.IsCancellationRequested)
                {
                    throw new OperationCanceledException("the request was cancelled", cancel.IsCancellationRequested ? cancel : closing.Token);
                }
            }
        }
        finally
        {
            Leave(generation.Count);
            asked.Record(meter, log);
        }
    }

    /// <summary>Answers a request and waits for the whole answers.</summary>
    /// <param name="request">What is asked, and how to generate.</param>
    /// <param name="cancel">Ends the answers at their next tokens.</param>
    /// <returns>As many as were asked for (<see cref="GenerationOptions.Count"/>).</returns>
    /// <exception cref="ServerBusyException">The queue is full, or the server takes nothing any more.</exception>
    /// <exception cref="ContextLengthException">The prompt is too long.</exception>
    /// <exception cref="ConfigException">The model does not take what is asked, an image cannot be read, or an option is out of range.</exception>
    /// <exception cref="FoveaException">The model failed.</exception>
    /// <exception cref="OperationCanceledException">The request was cancelled, by the caller or because the server was disposed.</exception>
    public async Task<IReadOnlyList<ServedAnswer>> CompleteAsync(ServedRequest request, CancellationToken cancel = default)
    {
        var pieces = new SortedDictionary<int, List<ServedPiece>>();
        await foreach (var piece in AnswerAsync(request, cancel).ConfigureAwait(false))
        {
            (pieces.TryGetValue(piece.Index, out var own) ? own : pieces[piece.Index] = []).Add(piece);
        }

        return
        [
            .. pieces.Values.Select(own => new ServedAnswer(
                string.Concat(own.Select(piece => piece.Text)), [.. own.SelectMany(piece => piece.Tokens)], own[^1].Reason!.Value, own[^1].Usage!)),
        ];
    }

    /// <summary>Takes no more requests, and waits until those that were taken have been answered.</summary>
    /// <param name="cancel">Ends the waiting; the answers go on.</param>
    public Task DrainAsync(CancellationToken cancel = default)
    {
        lock (gate)
        {
            if (drained is null)
            {
                log.Draining(taken);
                drained = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            EndDrain();

            return drained.Task.WaitAsync(cancel);
        }
    }

    /// <summary>Ends all answers, and frees the model unless it is the caller's. <see cref="DrainAsync"/> first lets them end by themselves.</summary>
    public async ValueTask DisposeAsync()
    {
        var done = DrainAsync();
        await closing.CancelAsync().ConfigureAwait(false);
        await done.ConfigureAwait(false);
        Model.Passed -= Pass;
        meter.Dispose();
        if (owns)
        {
            await Model.DisposeAsync().ConfigureAwait(false);
        }
    }

    internal TokenTexts Texts { get; }

    private static ServerLog LogOf(ModelServerOptions options) => new(options.Logger ?? NullLogger.Instance);

    // With the gate held.
    private void EndDrain()
    {
        if (taken == 0 && drained?.TrySetResult() == true)
        {
            log.Drained();
        }
    }

    private GenerationOptions Entered(ServedRequest request)
    {
        try
        {
            var generation = Checked(request);
            Enter(generation.Count);
            return generation;
        }
        catch (FoveaException e)
        {
            Refused(request, e);
            throw;
        }
    }

    // What the form of the answer and the images take to read, the model's thread does not wait for.
    private async Task Submit(ServedWork asked, ServedRequest request, GenerationOptions generation, CancellationToken cancel)
    {
        try
        {
            var form = await Model.Loaded.Answerer.FormOf(generation, cancel).ConfigureAwait(false);
            var prompt = await PromptOf(request, cancel).ConfigureAwait(false);
            await asked.Submit(prompt, Fitted(generation, prompt, request.FitsWhole), form, cancel).ConfigureAwait(false);
        }
        catch (FoveaException e)
        {
            Refused(request, e);
            throw;
        }
    }

    private void Refused(ServedRequest request, FoveaException e) => log.Refused(request.Options?.Adapter ?? Name, e.GetType().Name);

    private GenerationOptions Checked(ServedRequest request)
    {
        var generation = Model.With(request.Options);
        generation.Check();
        AtMost(generation.Count, options.MaxAnswers, "answers");
        AtMost(generation.MaxNewTokens, options.MaxNewTokens ?? int.MaxValue, "new tokens");
        AtMost(request.Messages?.Sum(message => message.Parts.OfType<Image>().Count()) ?? 0, options.MaxImages, "images");
        return generation;

        static void AtMost(int asked, int most, string what)
        {
            if (asked > most)
            {
                throw new ConfigException($"{asked} {what} are asked for, and the server gives at most {most}");
            }
        }
    }

    private GenerationOptions Fitted(GenerationOptions generation, Prompt prompt, bool whole)
    {
        var (length, left) = (prompt.Ids.Length, MaxTokens - prompt.Ids.Length);
        if (left < 1 || (whole && left < generation.MaxNewTokens))
        {
            var (images, answer) = (prompt.Images.Sum(image => image.Tokens), whole ? generation.MaxNewTokens : 1);
            throw new ContextLengthException(
                $"the maximum context length is {MaxTokens} tokens, but {length + answer} are asked for: {length} of the prompt"
                + $"{(images == 0 ? string.Empty : $", {images} of them for images")}, {answer} of the answer", length, MaxTokens);
        }

        return generation.MaxNewTokens <= left ? generation
            : generation with { MaxNewTokens = left, MinNewTokens = Math.Min(generation.MinNewTokens, left) };
    }

    // Images are read by other threads, at most one a core: a decoded one is large.
    private async Task<Prompt> PromptOf(ServedRequest request, CancellationToken cancel)
    {
        await readers.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            return await Task.Run(
                () => request switch
                {
                    { Text: { } text } => Model.Loaded.Answerer.PromptOf(text),
                    { Ids: { } ids } => Model.Loaded.Answerer.PromptOf([.. ids]),
                    _ => Read(new Conversation(request.Messages!) { Tools = request.Tools }, request.LowDetail),
                }, cancel).ConfigureAwait(false);
        }
        finally
        {
            readers.Release();
        }
    }

    // What is wrong here is the request's.
    private Prompt Read(Conversation asked, IReadOnlyCollection<MediaSource> coarse)
    {
        try
        {
            Measure(asked);
            return Model.Loaded.Answerer.PromptOf(asked, coarse);
        }
        catch (FoveaException e) when (e is not ConfigException)
        {
            throw new ConfigException(e.Message);
        }
    }

    private void Measure(Conversation asked)
    {
        foreach (var image in asked.Images)
        {
            var header = ImageReader.ReadHeader(image);
            if ((long)header.Width * header.Height > options.MaxImagePixels)
            {
                throw new ConfigException($"{image.Name} has {header.Width} x {header.Height} pixels, and the server takes at most {options.MaxImagePixels}");
            }
        }
    }

    private void Enter(int count)
    {
        lock (gate)
        {
            if (drained is not null)
            {
                throw new ServerBusyException("the server is shutting down", isClosing: true);
            }

            var most = options.MaxRunning + options.MaxQueued;
            if (taken + count > most)
            {
                throw new ServerBusyException($"{taken} answers are under way or wait, and the server takes {most}: try again later", isClosing: false);
            }

            taken += count;
        }
    }

    private void Leave(int count)
    {
        lock (gate)
        {
            taken -= count;
            EndDrain();
        }
    }

    /// <summary>Makes <see cref="Status"/> say what is so now. On the model's thread.</summary>
    internal void Pass() => passed = Look();

    private ServerStatus Look()
    {
        var engine = Model.Loaded.Engine;
        return new ServerStatus(0, engine.Running, engine.PagesInUse, engine.PagesUsed - engine.PagesInUse, engine.MostPages, engine.PageBytes);
    }
}
