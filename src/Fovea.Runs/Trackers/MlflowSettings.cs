using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Fovea.Runs.Trackers;

/// <summary>Where MLflow is and what a run is called there, by the environment variables of its own client and of Transformers' callback.</summary>
internal sealed record MlflowSettings
{
    /// <summary>The server, without credentials.</summary>
    public required Uri Server { get; init; }

    /// <summary>Sent with each request, and written nowhere.</summary>
    public AuthenticationHeaderValue? Authorization { get; init; }

    public string? ExperimentId { get; init; }

    public string? ExperimentName { get; init; }

    /// <summary>A run to go on with, whatever the output folder remembers.</summary>
    public string? RunId { get; init; }

    public string? RunName { get; init; }

    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>();

    /// <summary>How long the server may take for an answer.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether <c>report_to: all</c> means MLflow too.</summary>
    public static bool IsSet(Func<string, string?> variable) =>
        variable("MLFLOW_TRACKING_URI") is { Length: > 0 } && !IsTrue(variable("DISABLE_MLFLOW_INTEGRATION"));

    /// <exception cref="ConfigException">A variable is missing or cannot be used.</exception>
    public static MlflowSettings Read(Func<string, string?> variable)
    {
        string? Get(string name) => variable(name) is { Length: > 0 } value ? value : null;
        if (Get("MLFLOW_TRACKING_URI") is not { } address)
        {
            throw new ConfigException("report_to: mlflow needs the variable MLFLOW_TRACKING_URI, the address of an MLflow server (http://host:5000)");
        }

        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
        {
            throw new ConfigException("report_to: mlflow needs a server: MLFLOW_TRACKING_URI must begin with http:// or https:// "
                + "(to see a folder or database through one: mlflow server --backend-store-uri ...)");
        }

        var server = new UriBuilder(uri) { UserName = string.Empty, Password = string.Empty, Query = string.Empty, Fragment = string.Empty };
        server.Path = server.Path.TrimEnd('/') + "/";
        return new MlflowSettings
        {
            Server = server.Uri,
            Authorization = Authorize(uri, Get),
            ExperimentId = Get("MLFLOW_EXPERIMENT_ID"),
            ExperimentName = Get("MLFLOW_EXPERIMENT_NAME"),
            RunId = Get("MLFLOW_RUN_ID"),
            RunName = Get("MLFLOW_RUN_NAME"),
            Tags = TagsOf(Get("MLFLOW_TAGS")),
            Patience = double.TryParse(Get("MLFLOW_HTTP_REQUEST_TIMEOUT"), out var seconds) && seconds is > 0 and < 3600
                ? TimeSpan.FromSeconds(seconds)
                : TimeSpan.FromSeconds(30),
        };
    }

    // As in MLflow's client, a name with a password takes precedence over a token.
    private static AuthenticationHeaderValue? Authorize(Uri uri, Func<string, string?> get)
    {
        if (get("MLFLOW_TRACKING_USERNAME") is { } user && get("MLFLOW_TRACKING_PASSWORD") is { } password)
        {
            return Basic($"{user}:{password}");
        }

        return get("MLFLOW_TRACKING_TOKEN") is { } token ? new("Bearer", token)
            : uri.UserInfo.Length > 0 ? Basic(Uri.UnescapeDataString(uri.UserInfo))
            : null;
    }

    private static AuthenticationHeaderValue Basic(string pair) => new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(pair)));

    private static Dictionary<string, string> TagsOf(string? text)
    {
        if (text is null)
        {
            return [];
        }

        try
        {
            using var tags = JsonText.Parse(Encoding.UTF8.GetBytes(text));
            return tags.RootElement.EnumerateObject().ToDictionary(
                tag => tag.Name, tag => tag.Value.ValueKind == JsonValueKind.String ? tag.Value.GetString()! : tag.Value.GetRawText());
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ConfigException("""MLFLOW_TAGS must be a JSON object, for instance {"team": "documents"}""");
        }
    }

    private static bool IsTrue(string? value) => value?.ToUpperInvariant() is "1" or "TRUE" or "YES" or "ON";
}
