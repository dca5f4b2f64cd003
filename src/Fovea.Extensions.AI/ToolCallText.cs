using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;

namespace Fovea.Extensions.AI;

/// <summary>
/// The text of a call as models write it between <c>&lt;tool_call&gt;</c> and its end: a JSON object with name and arguments (Qwen2.5, Qwen3), or a
/// <c>function</c> with a <c>parameter</c> for each argument (Qwen3.5).
/// </summary>
internal static partial class ToolCallText
{
    /// <summary>The call; null where the text is none.</summary>
    /// <param name="text">What stands between the marks.</param>
    /// <param name="tools">Their schemas tell texts from other values where the model writes both alike.</param>
    public static FunctionCallContent? Read(string text, IReadOnlyDictionary<string, AIFunctionDeclaration> tools)
    {
        text = text.Trim();
        return (text.StartsWith('{') ? Json(text) : Tagged(text, tools)) is var (name, arguments)
            ? new FunctionCallContent($"call_{Guid.NewGuid():n}", name, arguments) : null;
    }

    private static (string Name, Dictionary<string, object?> Arguments)? Json(string text)
    {
        if (Parse(text) is not { ValueKind: JsonValueKind.Object } call || !call.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String)
        {
            return null;
        }

        var given = call.TryGetProperty("arguments", out var value) ? value : default;
        if (given.ValueKind == JsonValueKind.String)
        {
            // Some models write the arguments as a text that is JSON.
            given = Parse(given.GetString()!) ?? given;
        }

        return given.ValueKind switch
        {
            JsonValueKind.Object => (name.GetString()!, new(
                given.EnumerateObject().DistinctBy(one => one.Name).Select(one => KeyValuePair.Create(one.Name, (object?)one.Value)))),
            JsonValueKind.Undefined or JsonValueKind.Null => (name.GetString()!, []),
            _ => null,
        };
    }

    private static (string Name, Dictionary<string, object?> Arguments)? Tagged(string text, IReadOnlyDictionary<string, AIFunctionDeclaration> tools)
    {
        var function = Function().Match(text);
        if (!function.Success)
        {
            return null;
        }

        var name = function.Groups["name"].Value;
        var properties = tools.TryGetValue(name, out var tool) && tool.JsonSchema.ValueKind == JsonValueKind.Object
            && tool.JsonSchema.TryGetProperty("properties", out var known) ? known : default;
        var arguments = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (Match parameter in Parameter().Matches(function.Groups["body"].Value))
        {
            var (key, value) = (parameter.Groups["name"].Value, parameter.Groups["value"].Value);
            arguments[key] = IsText(properties, key) || Parse(value) is not { } json ? value : json;
        }

        return (name, arguments);
    }

    private static bool IsText(JsonElement properties, string name) =>
        properties.ValueKind == JsonValueKind.Object && properties.TryGetProperty(name, out var schema) && schema.ValueKind == JsonValueKind.Object
        && schema.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("string");

    private static JsonElement? Parse(string json)
    {
        try
        {
            return JsonElement.Parse(json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    [GeneratedRegex(@"^<function=(?<name>[^>\s]+)>(?<body>.*?)</function>$", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Function();

    [GeneratedRegex(@"<parameter=(?<name>[^>\s]+)>\n?(?<value>.*?)\n?</parameter>", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Parameter();
}
