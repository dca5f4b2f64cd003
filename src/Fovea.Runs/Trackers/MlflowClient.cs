using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fovea.Runs.Trackers;

/// <summary>MLflow's REST interface, version 2.0: a call is a method's name and an object.</summary>
internal sealed class MlflowClient : IDisposable
{
    private const int MostBytes = 4 << 20;

    private readonly MlflowSettings settings;
    private readonly HttpClient http;

    public MlflowClient(MlflowSettings settings)
    {
        this.settings = settings;
        http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = settings.Patience,
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
        })
        {
            BaseAddress = new Uri(settings.Server, "api/2.0/mlflow/"),
            Timeout = settings.Patience,
            MaxResponseContentBufferSize = MostBytes,
        };
        http.DefaultRequestHeaders.Authorization = settings.Authorization;
        http.DefaultRequestHeaders.UserAgent.ParseAdd($"fovea/{typeof(MlflowClient).Assembly.GetName().Version?.ToString(3)}");
    }

    /// <summary>Asks for something.</summary>
    /// <returns>The answer; null where there is no such thing.</returns>
    /// <exception cref="TrackerException">There was no answer that can be used.</exception>
    public Task<JsonElement?> Get(string method, string name, string value, CancellationToken cancel) =>
        Ask(() => new HttpRequestMessage(HttpMethod.Get, $"{method}?{name}={Uri.EscapeDataString(value)}"), method, cancel);

    /// <summary>Tells something.</summary>
    /// <returns>The answer; null where what it is about does not exist.</returns>
    /// <exception cref="TrackerException">It was not taken.</exception>
    public Task<JsonElement?> Post(string method, JsonObject body, CancellationToken cancel) =>
        Ask(() => new HttpRequestMessage(HttpMethod.Post, method) { Content = JsonContent.Create(body) }, method, cancel);

    public void Dispose() => http.Dispose();

    private async Task<JsonElement?> Ask(Func<HttpRequestMessage> make, string method, CancellationToken cancel)
    {
        try
        {
            using var request = make();
            using var response = await http.SendAsync(request, cancel).ConfigureAwait(false);
            var answer = await Read(response, cancel).ConfigureAwait(false);
            return response.IsSuccessStatusCode ? answer ?? throw Said(passes: false, "it does not answer in JSON: is this an MLflow server?")
                : Word(answer, "error_code") == "RESOURCE_DOES_NOT_EXIST" ? null
                : throw Refusal(response, answer, method);
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            throw Said(passes: true, e is OperationCanceledException ? $"no answer in {settings.Patience.TotalSeconds} s" : e.Message);
        }
    }

    private static async Task<JsonElement?> Read(HttpResponseMessage response, CancellationToken cancel)
    {
        try
        {
            var answer = await response.Content.ReadFromJsonAsync<JsonElement>(cancel).ConfigureAwait(false);
            return answer.ValueKind == JsonValueKind.Object ? answer : null;
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException)
        {
            return null;
        }
    }

    private static string? Word(JsonElement? answer, string name) =>
        answer is { } there && there.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private TrackerException Refusal(HttpResponseMessage response, JsonElement? answer, string method)
    {
        var status = response.StatusCode;
        var why = Word(answer, "message") is { } message ? $": {(message.Length > 300 ? message[..300] + "..." : message)}" : string.Empty;
        return status switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => Said(
                passes: false, $"{(int)status} {response.ReasonPhrase}: set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
            >= HttpStatusCode.InternalServerError or HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests =>
                Said(passes: true, $"{(int)status} {response.ReasonPhrase}{why}"),
            >= HttpStatusCode.MultipleChoices and < HttpStatusCode.BadRequest =>
                Said(passes: false, $"it redirects to {response.Headers.Location}: name that in MLFLOW_TRACKING_URI"),
            _ => Said(passes: false, $"{method}: {(int)status} {response.ReasonPhrase}{why}"),
        };
    }

    private TrackerException Said(bool passes, string what) => new($"MLflow at {settings.Server}: {what}", passes);
}
