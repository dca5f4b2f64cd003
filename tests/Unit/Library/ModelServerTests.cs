using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace Fovea.Tests.Unit.Library;

/// <summary>A model that many ask at once: answers, limits, cancellation, and what it counts.</summary>
public sealed class ModelServerTests : NativeTest
{
    private static readonly string Folder = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string Adapter = TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens");
    private static readonly Image Picture = Image.FromFile(Path.Combine(TestFiles.Golden("qwen2_5_vl_tiny/data"), "images/001_0.png"));
    private readonly ModelServer server;
    private readonly GenerationOptions greedy;

    public ModelServerTests()
    {
        server = Load(new() { Name = "tiny", MaxQueued = 70 });
        greedy = server.Model.Generation with { DoSample = false, MaxNewTokens = 12 };
    }

    [Fact]
    public async Task Under_load_each_gets_the_tokens_that_it_gets_alone()
    {
        var sampled = greedy with { DoSample = true, TopK = 0, Seed = 7, Count = 2 };
        List<ServedRequest> requests =
        [
            .. Enumerable.Range(0, 20).Select(i => ServedRequest.Of([Message.User(Picture, $"What do you see? {new string('a', i)}")]) with
            {
                Options = i % 3 == 0 ? sampled with { Seed = (ulong)i } : greedy with { Adapter = i % 2 == 0 ? "tuned" : null },
            }),
        ];
        var alone = new List<IReadOnlyList<ServedAnswer>>();
        foreach (var request in requests)
        {
            alone.Add(await server.CompleteAsync(request));
        }

        var together = await Task.WhenAll(requests.Select(request => Task.Run(() => server.CompleteAsync(request))));
        for (var i = 0; i < requests.Count; i++)
        {
            Assert.Equal(requests[i].Options!.Count, together[i].Count);
            Assert.Equal(alone[i].Select(answer => answer.Text), together[i].Select(answer => answer.Text));
            Assert.Equal(alone[i].SelectMany(answer => answer.Tokens.Select(t => t.Id)), together[i].SelectMany(answer => answer.Tokens.Select(t => t.Id)));
        }

        var plain = await server.Model.AnswerAsync(requests[1].Messages!, greedy);
        Assert.Equal(plain.Text, together[1][0].Text);
        Assert.Equal(("tiny", "tuned"), (server.Name, Assert.Single(server.Adapters)));
    }

    [Fact]
    public async Task Pieces_carry_tokens_and_the_last_of_an_answer_its_reason_and_usage()
    {
        var request = ServedRequest.Of([Message.User(Picture, "What do you see?")]) with { Options = greedy with { Logprobs = true, TopLogprobs = 3 } };
        var pieces = await server.AnswerAsync(request).ToListAsync();
        var plain = await server.Model.AnswerAsync(request.Messages!, request.Options);
        Assert.Equal(plain.Text, string.Concat(pieces.Select(piece => piece.Text)));
        Assert.True(pieces.Count > 2);
        Assert.All(pieces.SkipLast(1), piece => Assert.Null(piece.Reason));
        Assert.Equal(StopReason.Length, pieces[^1].Reason);
        Assert.Equal((plain.Generation.PromptTokens, 12), (pieces[^1].Usage!.PromptTokens, pieces[^1].Usage!.CompletionTokens));
        var tokens = pieces.SelectMany(piece => piece.Tokens).ToList();
        Assert.Equal(plain.Generation.Ids, tokens.Select(token => token.Id));
        Assert.Equal(plain.Generation.Logprobs.Select(one => (double?)one.Logprob), tokens.Select(token => token.Logprob));
        Assert.All(tokens, token => Assert.Equal(3, token.Top.Count));
        Assert.Equal(plain.Text, System.Text.Encoding.UTF8.GetString([.. tokens.SelectMany(token => token.Bytes.ToArray())]));
    }

    [Fact]
    public async Task Tokens_of_a_stop_string_are_not_told()
    {
        var request = ServedRequest.Of([Message.User("Hi")]) with { Options = greedy };
        var whole = (await server.CompleteAsync(request))[0];
        var stop = whole.Tokens[4].Text;
        var cut = (await server.CompleteAsync(request with { Options = greedy with { StopStrings = [stop] } }))[0];
        Assert.Equal(StopReason.Finished, cut.Reason);
        Assert.Equal(whole.Text[..whole.Text.IndexOf(stop, StringComparison.Ordinal)], cut.Text);
        Assert.Equal(cut.Text, string.Concat(cut.Tokens.Select(token => token.Text)));
    }

    [Fact]
    public async Task Whoever_leaves_or_cancels_frees_the_pages()
    {
        var request = ServedRequest.Of([Message.User("Hi")]) with { Options = greedy with { MaxNewTokens = 900, StopIds = [0] } };
        await foreach (var piece in server.AnswerAsync(request))
        {
            Assert.True(server.Status.PagesInUse > 0);
            break;
        }

        Assert.Equal((0, 0), (server.Status.PagesInUse, server.Status.Queued + server.Status.Running));
        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var piece in server.AnswerAsync(request, cancel.Token))
            {
                await cancel.CancelAsync();
            }
        });
        Assert.Equal((0, 0), (server.Status.PagesInUse, server.Status.Queued + server.Status.Running));
    }

    [Fact]
    public async Task What_is_too_long_too_much_or_too_large_is_refused()
    {
        var text = ServedRequest.OfText(string.Concat(Enumerable.Repeat("word ", 5000)));
        var error = await Assert.ThrowsAsync<ContextLengthException>(() => server.CompleteAsync(text));
        Assert.Equal(server.MaxTokens, error.MaxTokens);
        var hi = ServedRequest.OfText("Hi");
        await Assert.ThrowsAsync<ContextLengthException>(
            () => server.CompleteAsync(hi with { FitsWhole = true, Options = greedy with { MaxNewTokens = server.MaxTokens } }));
        await using var small = new ModelServer(server.Model, new() { MaxImages = 1, MaxImagePixels = 100, MaxNewTokens = 5, MaxRunning = 1, MaxQueued = 0 });
        var short5 = greedy with { MaxNewTokens = 5 };
        await Refused("2 images are asked for", ServedRequest.Of([Message.User(Picture, Picture, "?")]) with { Options = short5 });
        await Refused("the server takes at most 100", ServedRequest.Of([Message.User(Picture, "?")]) with { Options = short5 });
        await Refused("12 new tokens are asked for", hi with { Options = greedy });
        await Assert.ThrowsAsync<ServerBusyException>(
            () => small.CompleteAsync(hi with { Options = short5 with { Count = 2, DoSample = true } }));

        async Task Refused(string why, ServedRequest request) =>
            Assert.Contains(why, (await Assert.ThrowsAsync<ConfigException>(() => small.CompleteAsync(request))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_drains_answers_what_it_has_and_takes_no_more()
    {
        var asked = Task.Run(() => server.CompleteAsync(ServedRequest.OfText("Hi") with { Options = greedy with { MaxNewTokens = 100, StopIds = [0] } }));
        while (server.Status is { Running: 0 } && !asked.IsCompleted)
        {
            await Task.Yield();
        }

        var drained = server.DrainAsync();
        Assert.True((await Assert.ThrowsAsync<ServerBusyException>(() => server.CompleteAsync(ServedRequest.OfText("Hi")))).IsClosing);
        await drained;
        Assert.Equal(100, (await asked)[0].Usage.CompletionTokens);
    }

    [Fact]
    public async Task A_bias_makes_a_token_come_or_takes_it_out()
    {
        var request = ServedRequest.OfText("Hi") with { Options = greedy };
        var first = (await server.CompleteAsync(request))[0].Tokens[0].Id;
        var without = await server.CompleteAsync(request with { Options = greedy with { LogitBias = new Dictionary<int, double> { [first] = -100 } } });
        Assert.DoesNotContain(first, without[0].Tokens.Select(token => token.Id));
        var always = await server.CompleteAsync(request with { Options = greedy with { LogitBias = new Dictionary<int, double> { [first] = 100 } } });
        Assert.All(always[0].Tokens, token => Assert.Equal(first, token.Id));
    }

    [Fact]
    public async Task Its_meter_counts()
    {
        var counted = new Dictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, own) =>
            {
                if (instrument.Meter.Name == "Fovea" && ReferenceEquals(instrument.Meter.Scope, server))
                {
                    own.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Count(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Count(instrument, 1, tags));
        listener.Start();
        await server.CompleteAsync(ServedRequest.OfText("Hi there") with { Options = greedy });
        listener.RecordObservableInstruments();
        Assert.Equal(12, counted["fovea.server.tokens model=tiny kind=completion"]);
        Assert.Equal(1, counted["fovea.server.requests model=tiny outcome=answered"]);
        Assert.Equal(1, counted["fovea.server.time_to_first_token model=tiny"]);
        Assert.Equal(1, counted["fovea.server.request.duration model=tiny outcome=answered"]);
        Assert.Equal(0, counted["fovea.server.pages.in_use model=tiny"]);
        Assert.Equal(0, counted["fovea.server.running model=tiny"]);

        void Count(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var name = instrument.Name + string.Concat(tags.ToArray().Select(tag => $" {tag.Key}={tag.Value}"));
            counted[name] = counted.GetValueOrDefault(name) + value;
        }
    }

    [Fact]
    public async Task Each_request_is_a_span_and_hears_the_same_answer()
    {
        var request = ServedRequest.Of([Message.User(Picture, "What do you see?")]) with { Options = greedy with { Adapter = "tuned" } };
        var silent = await server.CompleteAsync(request);
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Fovea",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        using var around = new Activity("test").Start();
        var answers = await server.CompleteAsync(request);
        await Assert.ThrowsAsync<ContextLengthException>(() => server.CompleteAsync(
            ServedRequest.OfIds([.. Enumerable.Repeat(5, server.MaxTokens + 1)]) with { Options = greedy }));
        Assert.Same(around, Activity.Current);
        Assert.Equal(silent[0].Text, answers[0].Text);
        var own = spans.Where(span => span.ParentSpanId == around.SpanId).ToList();
        Assert.Equal(["chat tuned", "text_completion tiny"], own.Select(span => span.OperationName));
        var usage = answers[0].Usage;
        var expected = new Dictionary<string, object?>
        {
            ["gen_ai.operation.name"] = "chat", ["gen_ai.provider.name"] = "fovea", ["gen_ai.request.model"] = "tuned", ["gen_ai.response.model"] = "tiny",
            ["gen_ai.request.max_tokens"] = 12, ["fovea.adapter"] = "tuned", ["gen_ai.usage.input_tokens"] = usage.PromptTokens,
            ["gen_ai.usage.cache_read.input_tokens"] = usage.CachedTokens, ["gen_ai.usage.output_tokens"] = usage.CompletionTokens,
        };
        Assert.All(expected, pair => Assert.Equal(pair.Value, own[0].GetTagItem(pair.Key)));
        Assert.Equal(["length"], (string[])own[0].GetTagItem("gen_ai.response.finish_reasons")!);
        Assert.InRange((double)own[0].GetTagItem("fovea.time_to_first_token")!, 1e-6, own[0].Duration.TotalSeconds + 1e-3);
        Assert.Equal((ActivityStatusCode.Error, "refused"), (own[1].Status, own[1].GetTagItem("error.type")));
        Assert.DoesNotContain(own[0].TagObjects, tag => tag.Value is string text && text.Contains("see", StringComparison.Ordinal));
    }

    [Fact]
    public async Task It_logs_what_it_does_and_nothing_of_what_is_asked()
    {
        var logger = new KeptLog();
        await using (var logged = await ModelServer.LoadAsync(Folder, new() { Device = "cpu" }, new() { Name = "tiny", MaxImages = 0, Logger = logger }))
        {
            await logged.CompleteAsync(ServedRequest.OfText("a secret question") with { Options = greedy });
            await Assert.ThrowsAsync<ConfigException>(() => logged.CompleteAsync(ServedRequest.Of([Message.User(Picture, "a secret question")])));
            await Assert.ThrowsAsync<ConfigException>(() => logged.CompleteAsync(
                ServedRequest.OfText("Hi") with { Options = greedy with { Constraint = Constraint.Regex("a secret question(") } }));
            await Assert.ThrowsAsync<ContextLengthException>(() => logged.CompleteAsync(
                ServedRequest.OfIds([.. Enumerable.Repeat(5, logged.MaxTokens + 1)]) with { Options = greedy }));
            await logged.DrainAsync();
            await Assert.ThrowsAsync<ServerBusyException>(() => logged.CompleteAsync(ServedRequest.OfText("Hi")));
        }

        Assert.Equal(
            [
                (20, "Loading"), (21, "Ready"), (22, "Refused"), (22, "Refused"), (22, "Refused"), (24, "Draining"), (25, "Drained"), (22, "Refused"),
            ], logger.Events.Select(e => (e.Id.Id, e.Id.Name!)));
        Assert.Equal("Request for tiny refused: ContextLengthException", logger.Events.ElementAt(4).Text);
        Assert.DoesNotContain(logger.Events, e => e.Text.Contains("secret", StringComparison.Ordinal));
    }

    protected override void Cleanup() => server.DisposeAsync().AsTask().GetAwaiter().GetResult();

    private sealed class KeptLog : ILogger
    {
        public ConcurrentQueue<(EventId Id, string Text)> Events { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Events.Enqueue((eventId, formatter(state, exception)));
    }

    private static ModelServer Load(ModelServerOptions options) => ModelServer.LoadAsync(
        Folder, new() { Device = "cpu", NamedAdapters = new Dictionary<string, string> { ["tuned"] = Adapter } }, options).GetAwaiter().GetResult();
}
