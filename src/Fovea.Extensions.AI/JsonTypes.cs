using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.AI;

namespace Fovea.Extensions.AI;

/// <summary>How JSON that a model reads is written: no character is escaped that JSON does not ask for.</summary>
internal static class JsonTypes
{
    public static JsonSerializerOptions Plain { get; } = Make();

    public static JsonTypeInfo<JsonElement> Element => (JsonTypeInfo<JsonElement>)Plain.GetTypeInfo(typeof(JsonElement));

    /// <summary>A value that a program gives, as JSON.</summary>
    public static string Write(object? value) => JsonSerializer.Serialize(value, Plain.GetTypeInfo(value?.GetType() ?? typeof(object)));

    private static JsonSerializerOptions Make()
    {
        var options = new JsonSerializerOptions(AIJsonUtilities.DefaultOptions)
        {
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, WriteIndented = false,
        };
        options.MakeReadOnly();
        return options;
    }
}
