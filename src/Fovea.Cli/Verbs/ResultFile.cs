using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fovea.Cli.Verbs;

/// <summary><c>--json FILE</c>: what a verb shows, for programs.</summary>
internal static class ResultFile
{
    private const string Name = "--json";

    public static JsonSerializerOptions Json { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, // a model that computes NaN is a result too
    };

    public static Option<string?> Option(string description = "Also write the result to this file, as JSON.") => Option(Name, description);

    /// <summary>An option that names a file to write; whether it can be written is looked at before anything is measured.</summary>
    public static Option<string?> Option(string name, string description)
    {
        var option = new Option<string?>(name) { Description = description };
        option.Validators.Add(given =>
        {
            if (given.GetValueOrDefault<string?>() is { } path)
            {
                WriteTarget.File(path, name);
            }
        });
        return option.IsPath();
    }

    public static string ToJson<T>(T result) => JsonSerializer.Serialize(result, Json);

    /// <summary>Writes the file when one was asked for.</summary>
    public static void Save<T>(T result, string? path)
    {
        if (path is not null)
        {
            WriteTarget.Text(path, Name, ToJson(result) + "\n");
        }
    }
}
