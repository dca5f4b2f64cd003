using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Fovea.Cli.Demo;

namespace Fovea.Tests.Unit.Serving;

/// <summary>What routes take and reply, field by field.</summary>
public sealed class HttpTests : NativeTest
{
    private readonly ServedApp app;

    public HttpTests() => app = ServedApp.Start(
        options => options.Limits = options.Limits with { MaxNewTokens = 64, MaxImages = 2 }, cors: ["https://page.test"]);

    [Theory]
    [InlineData("tools", ", 'tools': [{'type': 'function'}]")]
    [InlineData("tool_choice", ", 'tool_choice': 'auto'")]
    [InlineData("modalities", ", 'modalities': ['text']")]
    [InlineData("store", ", 'store': true")]
    [InlineData("service_tier", ", 'service_tier': 'flex'")]
    [InlineData("nonsense", ", 'nonsense': 1")]
    [InlineData("temperature", ", 'temperature': 3")]
    [InlineData("stop", ", 'stop': ['']")]
    [InlineData("stop", ", 'stop': 7")]
    [InlineData("logit_bias", ", 'logit_bias': {'x': 1}")]
    [InlineData("logit_bias", ", 'logit_bias': {'3': 101}")]
    [InlineData("top_logprobs", ", 'top_logprobs': 2")]
    [InlineData("seed", ", 'seed': 1.5")]
    [InlineData("stream_options", ", 'stream_options': {'include_usage': true}")]
    [InlineData("response_format.type", ", 'response_format': {'type': 'xml'}")]
    [InlineData("response_format.json_schema", ", 'response_format': {'type': 'json_schema'}")]
    [InlineData("max_tokens", ", 'max_tokens': 5, 'max_completion_tokens': 6")]
    [InlineData("max_tokens", ", 'max_tokens': 0")]
    public async Task A_field_that_is_unknown_unsupported_or_wrong_is_named(string param, string fields)
    {
        var body = "{'model': 'tiny', 'messages': [{'role': 'user', 'content': 'Hi'}]" + fields + "}";
        var (status, json) = await app.Post("/v1/chat/completions", body);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        var error = json.GetProperty("error");
        Assert.Equal(("invalid_request_error", param), (error.GetProperty("type").GetString(), error.GetProperty("param").GetString()));
        Assert.Contains(param, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("messages", "[]")]
    [InlineData("messages[0].role", "[{'role': 'tool', 'content': 'x', 'tool_call_id': '1'}]")]
    [InlineData("messages[0].role", "[{'role': 'king', 'content': 'x'}]")]
    [InlineData("messages[0].content", "[{'role': 'user'}]")]
    [InlineData("messages[0].content", "[{'role': 'user', 'content': 7}]")]
    [InlineData("messages[0].content[0].type", "[{'role': 'user', 'content': [{'type': 'input_audio'}]}]")]
    [InlineData(
        "messages[0].content[0].image_url.detail",
        "[{'role': 'user', 'content': [{'type': 'image_url', 'image_url': {'url': 'data:,', 'detail': 'x'}}]}]")]
    [InlineData("messages[0].content[0].image_url.url", "[{'role': 'user', 'content': [{'type': 'image_url', 'image_url': {'url': 'ftp://x/y.png'}}]}]")]
    [InlineData(
        "messages[0].content[0].image_url.url",
        "[{'role': 'user', 'content': [{'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,%%'}}]}]")]
    [InlineData("messages[1].tool_calls", "[{'role': 'user', 'content': 'x'}, {'role': 'assistant', 'content': 'y', 'tool_calls': [{}]}]")]
    public async Task A_message_that_is_wrong_is_named(string param, string messages)
    {
        var (status, json) = await app.Post("/v1/chat/completions", "{'model': 'tiny', 'messages': " + messages + "}");
        Assert.Equal((HttpStatusCode.BadRequest, param), (status, json.GetProperty("error").GetProperty("param").GetString()));
    }

    [Fact]
    public async Task What_no_answer_depends_on_is_taken()
    {
        var (status, json) = await app.Chat(
            ", 'user': 'me', 'metadata': {'a': 'b'}, 'tools': null, 'store': false, 'service_tier': 'auto', 'response_format': {'type': 'text'}");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("chat.completion", json.GetProperty("object").GetString());
        Assert.Equal(6, json.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.True(json.GetProperty("usage").GetProperty("prompt_tokens_details").TryGetProperty("cached_tokens", out _));
    }

    [Fact]
    public async Task Options_reach_the_model()
    {
        var plain = Text((await app.Chat()).Json);
        var biased = await app.Server.CompleteAsync(
            ServedRequest.Of([Message.User("Hi")]) with { Options = app.Server.Model.Generation with { DoSample = false, MaxNewTokens = 6 } });
        Assert.Equal(biased[0].Text, plain);
        var first = biased[0].Tokens[0];
        Assert.DoesNotContain(first.Text, Text((await app.Chat($", 'logit_bias': {{'{first.Id}': -100}}")).Json), StringComparison.Ordinal);
        Assert.NotEqual(plain, Text((await app.Chat(", 'frequency_penalty': 2, 'presence_penalty': 2, 'max_tokens': 24")).Json));

        var stop = biased[0].Tokens[3].Text;
        var (_, cut) = await app.Chat($", 'stop': {JsonSerializer.Serialize(stop)}");
        Assert.Equal(plain[..plain.IndexOf(stop, StringComparison.Ordinal)], Text(cut));
        Assert.Equal("stop", cut.GetProperty("choices")[0].GetProperty("finish_reason").GetString());

        const string three = "{'model': 'tiny', 'n': 3, 'temperature': 1, 'seed': 5, 'max_tokens': 8, 'messages': [{'role': 'user', 'content': 'Hi'}]}";
        var (_, several) = await app.Post("/v1/chat/completions", three);
        var texts = several.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("message").GetProperty("content").GetString()).ToList();
        Assert.Equal(3, texts.Distinct().Count());
        var (_, again) = await app.Post("/v1/chat/completions", three);
        Assert.Equal(texts, again.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("message").GetProperty("content").GetString()));
    }

    [Fact]
    public async Task Bare_texts_are_gone_on_from()
    {
        var (status, one) = await app.Post("/v1/completions", "{'model': 'tiny', 'prompt': 'Once', 'max_tokens': 5, 'temperature': 0, 'logprobs': 2}");
        Assert.Equal(HttpStatusCode.OK, status);
        var alone = await app.Server.CompleteAsync(
            ServedRequest.OfText("Once") with { Options = app.Server.Model.Generation with { DoSample = false, MaxNewTokens = 5 } });
        var choice = one.GetProperty("choices")[0];
        Assert.Equal((alone[0].Text, 5), (choice.GetProperty("text").GetString(), choice.GetProperty("logprobs").GetProperty("tokens").GetArrayLength()));
        var ids = string.Join(',', app.Server.Model.Loaded.Tokenizer.Encode("Twice"));
        var (_, two) = await app.Post("/v1/completions", $"{{'model': 'tiny', 'prompt': [[{ids}], 'Once'], 'max_tokens': 5, 'temperature': 0}}");
        Assert.Equal([0, 1], two.GetProperty("choices").EnumerateArray().Select(of => of.GetProperty("index").GetInt32()));
        Assert.Equal(alone[0].Text, two.GetProperty("choices")[1].GetProperty("text").GetString());
        Assert.Equal(10, two.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        var (refused, error) = await app.Post("/v1/completions", "{'model': 'tiny', 'prompt': 'Once', 'echo': true}");
        Assert.Equal((HttpStatusCode.BadRequest, "echo"), (refused, error.GetProperty("error").GetProperty("param").GetString()));
    }

    [Fact]
    public async Task A_stream_is_events_that_end_with_done()
    {
        const string body = "{'model': 'tiny', 'n': 2, 'temperature': 1, 'seed': 1, 'max_tokens': 5, 'stream': true, "
            + "'stream_options': {'include_usage': true}, 'messages': [{'role': 'user', 'content': 'Hi'}]}";
        using var content = new StringContent(body.Replace('\'', '"'), Encoding.UTF8, "application/json");
        using var response = await app.Http.PostAsync("/v1/chat/completions", content);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        var events = (await response.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.All(events, line => Assert.StartsWith("data: ", line, StringComparison.Ordinal));
        Assert.Equal("data: [DONE]", events[^1]);
        var chunks = events.SkipLast(1).Select(line => JsonDocument.Parse(line[6..]).RootElement).ToList();
        Assert.Equal(10, chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Empty(chunks[^1].GetProperty("choices").EnumerateArray());
        for (var index = 0; index < 2; index++)
        {
            var own = chunks.SkipLast(1).Select(chunk => chunk.GetProperty("choices")[0])
                .Where(choice => choice.GetProperty("index").GetInt32() == index).ToList();
            Assert.Equal("assistant", own[0].GetProperty("delta").GetProperty("role").GetString());
            Assert.Equal("length", own[^1].GetProperty("finish_reason").GetString());
        }

        // What is wrong is told with its status, not in a stream.
        var (status, _) = await app.Chat(", 'stream': true", $"'{string.Concat(Enumerable.Repeat("word ", 5000))}'");
        Assert.Equal(HttpStatusCode.BadRequest, status);
    }

    [Fact]
    public async Task An_image_of_low_detail_takes_fewer_tokens()
    {
        var wide = $"data:image/png;base64,{Convert.ToBase64String(PngWriter.Encode(900, 700, new byte[900 * 700 * 3]))}";
        var tokens = new List<int>();
        foreach (var detail in new[] { "auto", "high", "low" })
        {
            var (status, json) = await app.Chat(
                content: $"[{{'type': 'image_url', 'image_url': {{'url': '{wide}', 'detail': '{detail}'}}}}, {{'type': 'text', 'text': '?'}}]");
            Assert.Equal(HttpStatusCode.OK, status);
            tokens.Add(json.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        }

        Assert.Equal(tokens[0], tokens[1]);
        Assert.True(tokens[2] < tokens[0]);
    }

    [Fact]
    public async Task A_limit_that_is_passed_is_named()
    {
        Assert.Contains("65 new tokens", Problem(await app.Chat(", 'max_tokens': 65")), StringComparison.Ordinal);
        var image = $"{{'type': 'image_url', 'image_url': {{'url': '{ServedApp.Data}'}}}}";
        Assert.Contains("3 images", Problem(await app.Chat(content: $"[{image}, {image}, {image}]")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Health_metrics_request_ids_and_pages_of_another_origin()
    {
        Assert.Equal("""{"status":"ok"}""", await app.Http.GetStringAsync("/health"));
        await app.Chat();
        var metrics = await app.Http.GetStringAsync("/metrics");
        Assert.Contains("fovea_server_tokens_total{kind=\"completion\",model=\"tiny\"} 6\n", metrics, StringComparison.Ordinal);
        Assert.Contains("fovea_server_pages_in_use{model=\"tiny\"} 0\n", metrics, StringComparison.Ordinal);
        Assert.Contains("fovea_server_time_to_first_token_seconds_count{model=\"tiny\"} 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains("http_server_request_duration_seconds_count{", metrics, StringComparison.Ordinal);
        Assert.All(metrics.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Matches(@"^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? \S+)$", line));

        using var ask = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
        ask.Headers.Add("x-request-id", "mine-1");
        ask.Headers.Add("Origin", "https://page.test");
        using var reply = await app.Http.SendAsync(ask);
        Assert.Equal("mine-1", reply.Headers.GetValues("x-request-id").Single());
        Assert.Equal("https://page.test", reply.Headers.GetValues("Access-Control-Allow-Origin").Single());
        using var other = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
        other.Headers.Add("Origin", "https://elsewhere.test");
        using var refused = await app.Http.SendAsync(other);
        Assert.False(refused.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.StartsWith("req_", refused.Headers.GetValues("x-request-id").Single(), StringComparison.Ordinal);
        var unknown = await app.Http.GetAsync("/v1/embeddings");
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.Contains("unknown_url", await unknown.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_is_one_object_of_JSON_and_called_so()
    {
        foreach (var (body, type, status) in new[]
        {
            ("{", "application/json", 400), ("[]", "application/json", 400), ("{\"model\": \"tiny\", \"model\": \"tuned\"}", "application/json", 400),
            (new string('[', 100), "application/json", 400), ("{}", "text/plain", 415),
        })
        {
            using var content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue(type));
            using var response = await app.Http.PostAsync("/v1/chat/completions", content);
            Assert.Equal((body, status), (body, (int)response.StatusCode));
            Assert.Contains("\"error\":", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    protected override void Cleanup() => app.DisposeAsync().AsTask().GetAwaiter().GetResult();

    private static string Text(JsonElement json) => json.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;

    private static string Problem((HttpStatusCode Status, JsonElement Json) reply)
    {
        Assert.Equal(HttpStatusCode.BadRequest, reply.Status);
        return reply.Json.GetProperty("error").GetProperty("message").GetString()!;
    }
}
