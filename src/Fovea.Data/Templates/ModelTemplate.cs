using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Fovea.Data.Templates.Jinja;

namespace Fovea.Data.Templates;

/// <summary>The chat template that lies in a model's folder, with the tokens that it names. Usable from several threads at once.</summary>
internal sealed class ModelTemplate
{
    private const string Probe = "what is this";
    private static readonly string[] TokenKeys = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
    private readonly JinjaTemplate template;
    private readonly Dictionary<string, object?> tokens;
    private readonly DateTime now = DateTime.Now;
    private readonly ConcurrentDictionary<string, bool> takesParts = new(StringComparer.Ordinal);
    private readonly Lazy<(bool Tools, bool Calls, bool Results)> toolUse;
    private readonly string path;

    private ModelTemplate(string path, string text, Dictionary<string, object?> tokens)
    {
        (this.path, this.tokens, toolUse) = (path, tokens, new(ProbeTools));
        Digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..12];
        TellsTime = text.Contains("strftime_now", StringComparison.Ordinal);
        try
        {
            template = JinjaTemplate.Parse(text);
        }
        catch (TemplateException e)
        {
            throw new ConfigException($"{path}: {e.Message}");
        }
    }

    /// <summary>The template says itself what the model writes, in <c>generation</c> blocks.</summary>
    public bool MarksGeneration => template.MarksGeneration;

    /// <summary>Tells templates apart.</summary>
    public string Digest { get; }

    /// <summary>The template may write what day it is.</summary>
    public bool TellsTime { get; }

    /// <summary>
    /// Reads what Transformers reads, in this order: <c>chat_template.jinja</c>, <c>chat_template.json</c>, <c>tokenizer_config.json</c>, where of several
    /// templates <c>default</c> counts.
    /// </summary>
    /// <exception cref="ConfigException">There is none, or it is wrong or has what is not supported: names file and line.</exception>
    public static ModelTemplate Load(string folder)
    {
        var settings = Path.Combine(folder, "tokenizer_config.json");
        var tokens = File.Exists(settings) ? Tokens(settings) : [];
        var jinja = Path.Combine(folder, "chat_template.jinja");
        if (File.Exists(jinja))
        {
            return new ModelTemplate(jinja, TextFile.Read(jinja), tokens);
        }

        foreach (var path in (string[])[Path.Combine(folder, "chat_template.json"), settings])
        {
            if (File.Exists(path) && Text(path) is { } text)
            {
                return new ModelTemplate(path, text, tokens);
            }
        }

        throw new ConfigException($"template: chat_template renders the model's own template, and {folder} has none: chat_template.jinja, "
            + "or chat_template in chat_template.json or tokenizer_config.json, is needed");
    }

    /// <summary>Renders messages.</summary>
    /// <param name="messages">Dictionaries of role and content.</param>
    /// <param name="asksForAnswer">Also write what an answer begins with (<c>add_generation_prompt</c>).</param>
    /// <param name="tools">A list of dictionaries; null for none.</param>
    /// <exception cref="TemplateException">The template refuses them or does not fit them.</exception>
    public RenderedText Render(
        IReadOnlyList<object?> messages, bool asksForAnswer, bool? enableThinking = null, bool preserveThinking = false, object? tools = null)
    {
        var variables = new Dictionary<string, object?>(tokens)
        {
            ["messages"] = new PyList(messages),
            ["tools"] = tools,
            ["documents"] = null,
            ["add_generation_prompt"] = asksForAnswer,
        };
        if (enableThinking is { } thinks)
        {
            variables["enable_thinking"] = thinks;
        }

        if (preserveThinking)
        {
            variables["preserve_thinking"] = true;
        }

        return template.Render(variables, now);
    }

    /// <summary>
    /// Whether the template takes content as a list of parts, and writes this token once for an image among them. Others take text alone.
    /// </summary>
    public bool TakesParts(string imageToken) => takesParts.GetOrAdd(imageToken, WritesParts);

    /// <summary>Whether the template writes the tools that the model may call.</summary>
    public bool WritesTools => toolUse.Value.Tools;

    /// <summary>Whether the template writes the calls of tools in an answer.</summary>
    public bool WritesCalls => toolUse.Value.Calls;

    /// <summary>Whether the template writes the results of tools.</summary>
    public bool WritesResults => toolUse.Value.Results;

    /// <summary>A message as templates read it.</summary>
    public static PyDict Message(string role, object? content) => new PyDict().With("role", role).With("content", content);

    /// <summary>A call of a tool in an answer's <c>tool_calls</c>, as OpenAI's interface and Transformers have it, its arguments an object.</summary>
    /// <exception cref="ConfigException">The arguments are no JSON.</exception>
    public static PyDict Call(ToolCall call)
    {
        var function = new PyDict().With("name", call.Name).With("arguments", PyValue.Read(call.Arguments, "the arguments of a tool call:"));
        var outer = call.Id is null ? new PyDict() : new PyDict().With("id", call.Id);
        return outer.With("type", "function").With("function", function);
    }

    /// <summary>A part of a message's content.</summary>
    public static PyDict Part(string type, string? text)
    {
        var part = new PyDict().With("type", type);
        return text is null ? part : part.With("text", text);
    }

    public override string ToString() => path;

    private bool WritesParts(string imageToken)
    {
        var content = new PyList([Part("image", null), Part("text", Probe)]);
        try
        {
            var text = Render([Message("user", content)], asksForAnswer: true).Text;
            return text.Contains(Probe, StringComparison.Ordinal) && text.AsSpan().Count(imageToken) == 1;
        }
        catch (TemplateException)
        {
            return false;
        }
    }

    /// <summary>What of an invented use of a tool is written. A template that does not fit it says so itself when it is asked in earnest.</summary>
    private (bool Tools, bool Calls, bool Results) ProbeTools()
    {
        const string result = "the result";
        var tools = PyValue.Read(
            """[{"type": "function", "function": {"name": "offered", "description": "d", "parameters": {"type": "object", "properties": {}}}}]""", "the probe");
        object[] asked = [Message("user", Probe)];
        object[] called = [.. asked, Message("assistant", string.Empty).With("tool_calls", new PyList([Call(new ToolCall("called", "{}", "abcdefghi"))]))];
        object[] answered = [.. called, Message("tool", result).With("tool_call_id", "abcdefghi")];
        return (Writes(asked, "offered"), Writes(called, "called"), Writes(answered, result));

        bool Writes(object[] messages, string sign)
        {
            try
            {
                return Render(messages, asksForAnswer: messages.Length != 2, tools: tools).Text.Contains(sign, StringComparison.Ordinal);
            }
            catch (TemplateException)
            {
                return true;
            }
        }
    }

    private static string? Text(string path)
    {
        using var json = JsonFile.ReadObject(path);
        if (!json.RootElement.TryGetProperty("chat_template", out var template) || template.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (template.ValueKind == JsonValueKind.String)
        {
            return template.GetString();
        }

        List<(string? Name, string? Text)> named = template.ValueKind == JsonValueKind.Array
            ? [.. template.EnumerateArray().Select(item => (TextOf(item, "name"), TextOf(item, "template")))]
            : [];
        return named.Find(item => item.Name == "default").Text ?? throw new ConfigException($"{path}: chat_template must be a text, or a list of templates "
            + $"with names of which one is 'default'; it names {(named.Count == 0 ? "none" : string.Join(", ", named.Select(item => item.Name)))}");
    }

    private static string? TextOf(JsonElement value, string key) => value.ValueKind == JsonValueKind.Object && value.TryGetProperty(key, out var text)
        ? text.ValueKind == JsonValueKind.String ? text.GetString() : TextOf(text, "content")
        : null;

    private static Dictionary<string, object?> Tokens(string path)
    {
        using var json = JsonFile.ReadObject(path);
        var tokens = new Dictionary<string, object?>(StringComparer.Ordinal);
        AddTokens(tokens, json.RootElement, TokenKeys);
        if (json.RootElement.TryGetProperty("extra_special_tokens", out var others) && others.ValueKind == JsonValueKind.Object)
        {
            AddTokens(tokens, others, others.EnumerateObject().Select(token => token.Name));
        }

        return tokens;
    }

    private static void AddTokens(Dictionary<string, object?> tokens, JsonElement values, IEnumerable<string> keys)
    {
        foreach (var key in keys)
        {
            if (TextOf(values, key) is { } token)
            {
                tokens[key] = token;
            }
        }
    }
}
