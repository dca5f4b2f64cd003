using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Fovea.AspNetCore.Http;

/// <summary>What each route does.</summary>
internal sealed partial class Requests(
    FoveaOptions options, LoadedServer loaded, ApiKeys keys, BodyBudget budget, Media.MediaReader media, MetricsText metrics, ILogger<Requests> logger)
{
    private const string IdHeader = "x-request-id";
    private static readonly byte[] Done = "data: [DONE]\n\n"u8.ToArray();
    private readonly long started = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>Open to everybody: whoever balances load has no key.</summary>
    public Task Health(HttpContext context)
    {
        var problem = loaded.Unready;
        return Write(context, problem is null ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, new { status = problem ?? "ok" });
    }

    public Task Metrics(HttpContext context) => Run(context, async cancel =>
    {
        context.Response.ContentType = MetricsText.ContentType;
        await context.Response.WriteAsync(metrics.ToString(), cancel).ConfigureAwait(false);
    });

    public Task Models(HttpContext context) => Run(context, _ =>
    {
        var server = Server();
        return Write(context, StatusCodes.Status200OK, new { @object = "list", data = server.Adapters.Prepend(server.Name).Select(id => About(server, id)) });
    });

    public Task Model(HttpContext context) => Run(context, _ =>
    {
        var server = Server();
        var id = (string)context.GetRouteValue("id")!;
        AdapterOf(server, id);
        return Write(context, StatusCodes.Status200OK, About(server, id));
    });

    public Task Chat(HttpContext context) => Run(context, async cancel =>
    {
        var server = Server();
        var (asked, form, how) = await ReadChat(context, server, cancel).ConfigureAwait(false);
        await Answer(context, server, [asked], form, how, cancel).ConfigureAwait(false);
    });

    public Task Complete(HttpContext context) => Run(context, async cancel =>
    {
        var server = Server();
        var request = await ReadCompletion(context, server, cancel).ConfigureAwait(false);
        var generation = request.Options with { Adapter = AdapterOf(server, request.Model) };
        var form = new CompletionForm(request.Model, Now(), generation.Logprobs, request.Stream.Usage);
        var asked = request.Prompts.Select(prompt => prompt with { Options = generation }).ToList();
        await Answer(context, server, asked, form, request.Stream, cancel).ConfigureAwait(false);
    });

    public Task NotFound(HttpContext context) => Run(
        context, _ => throw new ApiException(StatusCodes.Status404NotFound, "unknown_url", $"there is no {context.Request.Method} of this address here"));

    private static long Now() => TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();

    private static async Task Write(HttpContext context, int status, object reply)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json; charset=utf-8";
        var bytes = Replies.Bytes(reply);
        context.Response.ContentLength = bytes.Length;
        await context.Response.Body.WriteAsync(bytes, context.RequestAborted).ConfigureAwait(false);
    }

    private static string? AdapterOf(ModelServer server, string model) =>
        model == server.Name ? null
        : server.Adapters.Contains(model) ? model
        : throw new ApiException(
            StatusCodes.Status404NotFound, "model_not_found",
            $"there is no such model; there are {string.Join(", ", server.Adapters.Prepend(server.Name))}", "model");

    // The body and what was fetched for it are not kept while the answer is generated.
    private async Task<(ServedRequest Asked, ChatForm Form, StreamFields How)> ReadChat(HttpContext context, ModelServer server, CancellationToken cancel)
    {
        using var body = await Body.Read(context, options.MaxBodyBytes, budget, cancel).ConfigureAwait(false);
        var request = ChatRequest.Read(body.Json, server.Model.Generation);
        request = request with { Options = request.Options with { Adapter = AdapterOf(server, request.Model) } };
        var asked = await request.Resolve(media, options.Limits.MaxImages, cancel).ConfigureAwait(false);
        return (asked, new ChatForm(request.Model, Now(), request.Options.Logprobs, request.Stream.Usage), request.Stream);
    }

    private async Task<CompletionRequest> ReadCompletion(HttpContext context, ModelServer server, CancellationToken cancel)
    {
        using var body = await Body.Read(context, options.MaxBodyBytes, budget, cancel).ConfigureAwait(false);
        return CompletionRequest.Read(body.Json, server.Model.Generation);
    }

    private object About(ModelServer server, string id) => new
    {
        id,
        @object = "model",
        created = started,
        owned_by = "fovea",
        parent = id == server.Name ? null : server.Name,
        max_model_len = server.MaxTokens,
    };

    private ModelServer Server() => loaded.Unready is { } problem
        ? throw new ApiException(StatusCodes.Status503ServiceUnavailable, "service_unavailable", problem)
        : loaded.Server!;

    private static async Task Answer(
        HttpContext context, ModelServer server, IReadOnlyList<ServedRequest> asked, IReplyForm form, StreamFields how, CancellationToken cancel)
    {
        if (how.Stream)
        {
            await Stream(context, Answers.Of(server, asked, cancel), form, how.Usage, cancel).ConfigureAwait(false);
            return;
        }

        var pieces = new SortedDictionary<int, List<(int Prompt, ServedPiece Piece)>>();
        await foreach (var (index, prompt, piece) in Answers.Of(server, asked, cancel).ConfigureAwait(false))
        {
            (pieces.TryGetValue(index, out var own) ? own : pieces[index] = []).Add((prompt, piece));
        }

        var answers = pieces.Values.Select(own => new ServedAnswer(
            string.Concat(own.Select(one => one.Piece.Text)), [.. own.SelectMany(one => one.Piece.Tokens)], own[^1].Piece.Reason!.Value, own[^1].Piece.Usage!));
        var usage = Replies.Usage([.. pieces.Values.Select(own => (own[^1].Prompt, own[^1].Piece.Usage!))]);
        await Write(context, StatusCodes.Status200OK, form.Whole([.. answers], usage)).ConfigureAwait(false);
    }

    private static async Task Stream(
        HttpContext context, IAsyncEnumerable<(int Index, int Prompt, ServedPiece Piece)> pieces, IReplyForm form, bool usage, CancellationToken cancel)
    {
        var begun = new HashSet<int>();
        var usages = new List<(int, ServedUsage)>();
        await foreach (var (index, prompt, piece) in pieces.ConfigureAwait(false))
        {
            // What is wrong with the request has shown by now, so the status is known.
            if (!context.Response.HasStarted)
            {
                context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
                context.Response.ContentType = "text/event-stream; charset=utf-8";
                context.Response.Headers.CacheControl = "no-cache";
                context.Response.Headers["X-Accel-Buffering"] = "no";
            }

            if (begun.Add(index) && form.Begin(index) is { } first)
            {
                await Event(context, first, cancel).ConfigureAwait(false);
            }

            foreach (var part in form.Piece(index, piece))
            {
                await Event(context, part, cancel).ConfigureAwait(false);
            }

            if (piece.Usage is { } made)
            {
                usages.Add((prompt, made));
            }

            await context.Response.Body.FlushAsync(cancel).ConfigureAwait(false);
        }

        if (usage)
        {
            await Event(context, form.Last(Replies.Usage(usages)), cancel).ConfigureAwait(false);
        }

        await context.Response.Body.WriteAsync(Done, cancel).ConfigureAwait(false);
    }

    private static async Task Event(HttpContext context, object reply, CancellationToken cancel)
    {
        byte[] line = [.. "data: "u8, .. Replies.Bytes(reply), (byte)'\n', (byte)'\n'];
        await context.Response.Body.WriteAsync(line, cancel).ConfigureAwait(false);
    }

    // A client's own id is kept where it can do no harm in a log or a header.
    private static string IdOf(HttpContext context)
    {
        var given = context.Request.Headers[IdHeader].ToString();
        return given.Length is > 0 and <= 128 && given.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') ? given : $"req_{Guid.NewGuid():N}";
    }

    private async Task Run(HttpContext context, Func<CancellationToken, Task> work)
    {
        var begun = Stopwatch.GetTimestamp();
        var id = IdOf(context);
        context.Response.Headers[IdHeader] = id;
        using var time = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        time.CancelAfter(options.Timeout);
        try
        {
            if (!keys.Admit(context.Request.Headers.Authorization))
            {
                context.Response.Headers.WWWAuthenticate = "Bearer";
                throw new ApiException(
                    StatusCodes.Status401Unauthorized, "invalid_api_key", "the request carries no valid API key (Authorization: Bearer KEY)");
            }

            await work(time.Token).ConfigureAwait(false);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody listens any more.
        }
        catch (OperationCanceledException) when (time.IsCancellationRequested)
        {
            var late = $"the request took more than {options.Timeout.TotalSeconds} s";
            await Fail(context, new ApiException(StatusCodes.Status504GatewayTimeout, "timeout", late)).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await Fail(context, new ApiException(StatusCodes.Status503ServiceUnavailable, "service_unavailable", "the server is shutting down"))
                .ConfigureAwait(false);
        }
        catch (Exception e)
        {
            var told = ApiException.Of(e);
            if (told is null)
            {
                LogFailed(e, id);
            }

            told ??= new ApiException(StatusCodes.Status500InternalServerError, "internal_error", $"the server failed; its log has more under {id}");
            await Fail(context, told).ConfigureAwait(false);
        }

        LogDone(context.Request.Method, Pattern(context), context.Response.StatusCode, (long)Stopwatch.GetElapsedTime(begun).TotalMilliseconds, id);
    }

    private static string? Pattern(HttpContext context) => (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText;

    private static async Task Fail(HttpContext context, ApiException e)
    {
        if (context.Response.HasStarted)
        {
            // The status is out: the stream says it, and ends without its mark of being whole.
            await Event(context, Replies.Error(e), context.RequestAborted).ConfigureAwait(false);
            return;
        }

        if (e.Status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable)
        {
            context.Response.Headers.RetryAfter = "1";
        }

        await Write(context, e.Status, Replies.Error(e)).ConfigureAwait(false);
    }

    [LoggerMessage(LogLevel.Information, "{Method} {Route} {Status}, {Milliseconds} ms, {Id}")]
    private partial void LogDone(string method, string? route, int status, long milliseconds, string id);

    [LoggerMessage(LogLevel.Error, "request {Id} failed")]
    private partial void LogFailed(Exception e, string id);
}
