using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Data.Datasets;

namespace Fovea.Running;

/// <summary>An OpenAI-compatible server as a side.</summary>
internal sealed class VerificationServer : IDisposable
{
    private const int MostTop = 5;
    private const int Shown = 300;
    private readonly HttpClient http = new() { Timeout = TimeSpan.FromMinutes(10) };
    private readonly string url;

    /// <param name="url">With or without <c>/v1</c>.</param>
    /// <param name="key">API key; null is none.</param>
    public VerificationServer(string url, string? key)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var parsed) || parsed.Scheme is not ("http" or "https"))
        {
            throw new ConfigException($"--url {url}: must be the address of a server, such as http://localhost:8000/v1");
        }

        var trimmed = url.TrimEnd('/');
        this.url = trimmed.EndsWith("/v1", StringComparison.Ordinal) ? trimmed : trimmed + "/v1";
        if (!string.IsNullOrEmpty(key))
        {
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }
    }

    /// <param name="model">The model's name there; null is the first that the server lists.</param>
    /// <param name="rows">Conversations up to the open question.</param>
    /// <param name="maxNewTokens">Longest answer.</param>
    /// <param name="cancel">Ends it without a result.</param>
    /// <exception cref="ConfigException">The server cannot be reached, or refuses.</exception>
    public async Task<VerifiedSide> Ask(string? model, IReadOnlyList<Conversation> rows, int maxNewTokens, CancellationToken cancel)
    {
        model ??= await FirstModel(cancel).ConfigureAwait(false);
        var answers = new List<VerifiedAnswer>();
        foreach (var row in rows)
        {
            answers.Add(await Answer(model, row, maxNewTokens, cancel).ConfigureAwait(false));
        }

        return new VerifiedSide($"{model} at {url}", null, answers);
    }

    public void Dispose() => http.Dispose();

    private async Task<string> FirstModel(CancellationToken cancel)
    {
        using var reply = await Send(new HttpRequestMessage(HttpMethod.Get, $"{url}/models"), cancel).ConfigureAwait(false);
        return reply.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("data", out var data)
            && data is { ValueKind: JsonValueKind.Array } && data.EnumerateArray().FirstOrDefault() is { ValueKind: JsonValueKind.Object } first
            && first.TryGetProperty("id", out var id) && id.GetString() is { } name
                ? name : throw new ConfigException($"{url}/models lists no model: name it as B");
    }

    private async Task<VerifiedAnswer> Answer(string model, Conversation asked, int maxNewTokens, CancellationToken cancel)
    {
        var body = new JsonObject
        {
            ["model"] = model,
            ["messages"] = new JsonArray([.. asked.Messages.Select(Written)]),
            ["temperature"] = 0,
            ["max_tokens"] = maxNewTokens,
            ["logprobs"] = true,
            ["top_logprobs"] = MostTop,
            ["stream"] = false,
        };
        if (asked.Tools is not null)
        {
            body["tools"] = Parsed(asked.Tools);
        }

        var request = new HttpRequestMessage(HttpMethod.Post, $"{url}/chat/completions")
        {
            Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"),
        };
        using var reply = await Send(request, cancel).ConfigureAwait(false);
        try
        {
            return Read(reply.RootElement.GetProperty("choices")[0]);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException or FormatException)
        {
            throw new ConfigException($"{url}/chat/completions: the reply has not the form of a chat completion: {Brief(reply.RootElement.GetRawText())}");
        }
    }

    private static VerifiedAnswer Read(JsonElement choice)
    {
        var text = choice.GetProperty("message").GetProperty("content") is { ValueKind: JsonValueKind.String } content ? content.GetString()! : string.Empty;
        bool? ended = Field(choice, "finish_reason") is { ValueKind: JsonValueKind.String } reason ? reason.GetString() == "stop" : null;
        var listed = Field(choice, "logprobs") is { } logprobs ? Field(logprobs, "content") : null;
        if (listed is not { ValueKind: JsonValueKind.Array } given || (given.GetArrayLength() == 0 && text.Length > 0))
        {
            return new VerifiedAnswer { Text = text, Ended = ended };
        }

        var tokens = given.EnumerateArray().Select(Token).ToList();

        // Some servers list the token that ends an answer, some as an empty text, some not at all.
        VerifiedToken? end = null;
        if (ended == true && tokens.Count > 0 && (tokens[^1].Text.Length == 0 || !text.EndsWith(tokens[^1].Text, StringComparison.Ordinal)))
        {
            end = tokens[^1].Text.Length == 0 ? null : tokens[^1];
            tokens.RemoveAt(tokens.Count - 1);
        }

        return new VerifiedAnswer { Text = text, Ended = ended, Tokens = tokens, End = end };
    }

    private static VerifiedToken Token(JsonElement token)
    {
        double[] top = Field(token, "top_logprobs") is { ValueKind: JsonValueKind.Array } listed
            ? [.. listed.EnumerateArray().Select(other => other.GetProperty("logprob").GetDouble()).OrderDescending()] : [];
        return new VerifiedToken(
            token.GetProperty("token").GetString() ?? string.Empty, null,
            Field(token, "logprob") is { ValueKind: JsonValueKind.Number } logprob ? logprob.GetDouble() : null,
            top is [var first, var second, ..] ? first - second : null);
    }

    private static JsonElement? Field(JsonElement from, string name) =>
        from.ValueKind == JsonValueKind.Object && from.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static JsonNode? Parsed(string json)
    {
        using var parsed = JsonFile.Parse(Encoding.UTF8.GetBytes(json), "the tools:");
        return JsonArray.Create(parsed.RootElement.Clone());
    }

    private static JsonNode Written(Message message)
    {
        List<Part> parts = [.. message.Parts.Where(part => part is not ToolCall)];
        var written = new JsonObject
        {
            ["role"] = message.Role switch { Role.System => "system", Role.User => "user", Role.Tool => "tool", _ => "assistant" },
            ["content"] = parts.TrueForAll(part => part is Text or ToolResult) ? JsonValue.Create(Placeholders.Join(parts, () => string.Empty))
                : new JsonArray([.. parts.Select(Written)]),
        };
        if (parts.OfType<ToolResult>().FirstOrDefault()?.CallId is { } id)
        {
            written["tool_call_id"] = id;
        }

        if (parts.Count < message.Parts.Count)
        {
            // A server wants an id of each call, by which results name it.
            written["tool_calls"] = new JsonArray([.. message.Parts.OfType<ToolCall>().Select((call, i) => new JsonObject
            {
                ["id"] = call.Id ?? FormattableString.Invariant($"call_{i}"),
                ["type"] = "function",
                ["function"] = new JsonObject { ["name"] = call.Name, ["arguments"] = call.Arguments },
            })]);
        }

        return written;
    }

    private static JsonNode Written(Part part) => part switch
    {
        Text text => new JsonObject { ["type"] = "text", ["text"] = text.Value },
        ToolResult result => new JsonObject { ["type"] = "text", ["text"] = result.Content },
        Image image => new JsonObject { ["type"] = "image_url", ["image_url"] = new JsonObject { ["url"] = DataUri(image.Source.ReadBytes()) } },
        _ => throw new ConfigException("a server is asked about texts and images only"),
    };

    private static string DataUri(byte[] bytes)
    {
        var kind = bytes switch
        {
            [0xFF, 0xD8, ..] => "jpeg",
            [(byte)'G', (byte)'I', (byte)'F', ..] => "gif",
            [(byte)'R', (byte)'I', (byte)'F', (byte)'F', ..] => "webp",
            [(byte)'B', (byte)'M', ..] => "bmp",
            _ => "png",
        };
        return $"data:image/{kind};base64,{Convert.ToBase64String(bytes)}";
    }

    private async Task<JsonDocument> Send(HttpRequestMessage request, CancellationToken cancel)
    {
        try
        {
            using var sent = request;
            using var reply = await http.SendAsync(sent, cancel).ConfigureAwait(false);
            var bytes = await reply.Content.ReadAsByteArrayAsync(cancel).ConfigureAwait(false);
            return reply.IsSuccessStatusCode ? JsonFile.Parse(bytes, $"{request.RequestUri}")
                : throw new ConfigException($"{request.RequestUri}: the server replies {(int)reply.StatusCode}: {Brief(Encoding.UTF8.GetString(bytes))}");
        }
        catch (HttpRequestException e)
        {
            throw new ConfigException($"{request.RequestUri}: {e.Message}");
        }
        catch (TaskCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new ConfigException($"{request.RequestUri}: the server did not reply within {http.Timeout.TotalMinutes:0} minutes");
        }
    }

    private static string Brief(string text) => text.Length <= Shown ? text : text[..Shown] + "...";
}
