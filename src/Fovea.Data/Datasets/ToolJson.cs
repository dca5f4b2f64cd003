using System.Text;
using System.Text.Json;
using static Fovea.Data.Datasets.RowFields;

namespace Fovea.Data.Datasets;

/// <summary>
/// Tools, calls of them and results as rows write them: LLaMA-Factory's (a column of tools; the text of a <c>function_call</c> turn is the JSON of one call or
/// of several) and OpenAI's (<c>tools</c>, <c>tool_calls</c>, <c>tool_call_id</c>).
/// </summary>
internal static class ToolJson
{
    private const string ThoughtEnd = "</think>";

    /// <summary>The tools of a row as a list in OpenAI's form; null where it has none, or with a problem.</summary>
    /// <param name="value">A list, or the text of one.</param>
    internal static string? Tools(JsonElement value, string column, List<string> problems)
    {
        var before = problems.Count;
        using var parsed = value.ValueKind == JsonValueKind.String ? Parse(value, column, problems) : null;
        if (problems.Count > before)
        {
            return null;
        }

        var list = parsed?.RootElement ?? value;
        if (list.ValueKind != JsonValueKind.Array)
        {
            problems.Add($"{column} must be a list of tools, not {Kind(list)}");
            return null;
        }

        var tools = new List<string>();
        foreach (var tool in list.EnumerateArray())
        {
            var function = tool.ValueKind == JsonValueKind.Object && tool.TryGetProperty("function", out var inner) ? inner : tool;
            if (function.ValueKind != JsonValueKind.Object || !function.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String)
            {
                problems.Add($"{column}[{tools.Count}] must be an object with a name, or {{\"type\": \"function\", \"function\": ...}} around one");
                return null;
            }

            // LLaMA-Factory's rows give functions alone, templates get them as OpenAI's interface does.
            tools.Add(tool.TryGetProperty("function", out _) ? tool.GetRawText() : $$"""{"type": "function", "function": {{tool.GetRawText()}}}""");
        }

        return tools.Count == 0 ? null : $"[{string.Join(", ", tools)}]";
    }

    /// <summary>The calls of a <c>function_call</c> turn, whose text is JSON, perhaps behind a thought.</summary>
    /// <param name="text">Becomes the text before the JSON.</param>
    internal static List<ToolCall> OfTurn(ref string text, List<string> problems)
    {
        var at = text.LastIndexOf(ThoughtEnd, StringComparison.Ordinal) is var end and >= 0 ? end + ThoughtEnd.Length : 0;
        while (at < text.Length && char.IsWhiteSpace(text[at]))
        {
            at++;
        }

        JsonDocument json;
        try
        {
            json = JsonText.Parse(Encoding.UTF8.GetBytes(text[at..]));
        }
        catch (JsonException)
        {
            problems.Add("the text of a tool call must be JSON: {\"name\": ..., \"arguments\": {...}}, or a list of such");
            return [];
        }

        using (json)
        {
            text = text[..at];
            return json.RootElement.ValueKind == JsonValueKind.Array ? Calls(json.RootElement, problems)
                : Call(json.RootElement, null, problems) is { } one ? [one] : [];
        }
    }

    /// <summary>The calls of a list: functions alone, or in OpenAI's form.</summary>
    internal static List<ToolCall> Calls(JsonElement list, List<string> problems)
    {
        var calls = new List<ToolCall>();
        foreach (var item in list.EnumerateArray())
        {
            var isWrapped = item.ValueKind == JsonValueKind.Object && item.TryGetProperty("function", out _);
            if (Call(isWrapped ? item.GetProperty("function") : item, isWrapped ? Text(item, "id", problems) : null, problems) is not { } call)
            {
                return [];
            }

            calls.Add(call);
        }

        return calls;
    }

    /// <summary>A call as rows of LLaMA-Factory write it.</summary>
    internal static string Written(ToolCall call)
    {
        var text = new StringBuilder("{\"name\": ");
        PythonJson.AppendText(text, call.Name, ascii: false);
        return text.Append(", \"arguments\": ").Append(call.Arguments).Append('}').ToString();
    }

    private static ToolCall? Call(JsonElement function, string? id, List<string> problems)
    {
        if (function.ValueKind != JsonValueKind.Object || !function.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String)
        {
            problems.Add("a tool call must be an object with name and arguments");
            return null;
        }

        if (!function.TryGetProperty("arguments", out var arguments))
        {
            problems.Add("a tool call has no arguments");
            return null;
        }

        // OpenAI's interface gives them as text.
        var before = problems.Count;
        using var parsed = arguments.ValueKind == JsonValueKind.String ? Parse(arguments, "the arguments of a tool call", problems) : null;
        if (problems.Count > before)
        {
            return null;
        }

        var given = parsed?.RootElement ?? arguments;
        if (given.ValueKind != JsonValueKind.Object)
        {
            problems.Add($"the arguments of a tool call must be an object, not {Kind(given)}");
            return null;
        }

        return new ToolCall(name.GetString()!, given.GetRawText(), id);
    }

    private static JsonDocument? Parse(JsonElement text, string what, List<string> problems)
    {
        if (TextOf(text, what, problems) is not { } json)
        {
            return null;
        }

        try
        {
            return JsonText.Parse(Encoding.UTF8.GetBytes(json));
        }
        catch (JsonException)
        {
            problems.Add($"{Brief.Of(what)} is not valid JSON");
            return null;
        }
    }
}
