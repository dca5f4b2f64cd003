using System.Text.Json;

namespace Fovea.Data.Tokenizers;

/// <summary>One component object of <c>tokenizer.json</c>, its place in the file for messages, and the list that its problems go to.</summary>
internal readonly record struct Component(JsonElement Json, string Place, List<string> Problems)
{
    /// <summary>What the user should know about the file, in sentences.</summary>
    internal List<string> Notices { get; init; } = [];

    internal bool IsAbsent => Json.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null;

    internal string Type => Text("type") ?? string.Empty;

    internal string? Text(string key) => Find(key) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    internal bool Flag(string key, bool otherwise = false) =>
        Find(key) is { ValueKind: JsonValueKind.True or JsonValueKind.False } value ? value.GetBoolean() : otherwise;

    internal int Number(string key, int otherwise) =>
        Find(key) is { } value && JsonText.Whole(value) is >= 0 and <= int.MaxValue and { } number ? (int)number : otherwise;

    internal bool Has(string key) => Find(key) is { ValueKind: not JsonValueKind.Null };

    internal Component Child(string key) => this with { Json = Find(key) ?? default, Place = $"{Place}.{key}" };

    /// <summary>The members of an array of components; none where it is absent.</summary>
    internal List<Component> Children(string key)
    {
        var children = new List<Component>();
        if (Find(key) is { ValueKind: JsonValueKind.Array } array)
        {
            foreach (var item in array.EnumerateArray())
            {
                children.Add(this with { Json = item, Place = $"{Place}.{key}[{children.Count}]" });
            }
        }
        else
        {
            Report($"{key} is missing or no array");
        }

        return children;
    }

    /// <summary>Text that must be there.</summary>
    internal string Required(string key)
    {
        if (Text(key) is { } text)
        {
            return text;
        }

        Report($"{key} is missing or no string");
        return string.Empty;
    }

    /// <summary>A string of exactly one UTF-16 unit.</summary>
    internal char Character(string key, char otherwise)
    {
        if (!Has(key))
        {
            return otherwise;
        }

        if (Text(key) is { Length: 1 } text)
        {
            return text[0];
        }

        Report($"{key} must be one character");
        return otherwise;
    }

    /// <summary>The plain string of a <c>{"String": ...}</c> pattern; null, reported, for a regular expression.</summary>
    internal string? PlainPattern()
    {
        var pattern = Child("pattern");
        if (pattern.Text("String") is { Length: > 0 } text)
        {
            return text;
        }

        Report($"the pattern {(pattern.IsAbsent ? "(none)" : JsonText.Show(pattern.Json))} is not supported here: a plain {{\"String\": ...}} is");
        return null;
    }

    internal void Report(string problem) => Problems.Add($"{Place}{(Type.Length > 0 ? $" ({Type})" : string.Empty)}: {problem}");

    internal void Unsupported(string supported) =>
        Problems.Add($"{Place}: type \"{Type}\" is not supported (supported: {supported})");

    private JsonElement? Find(string key) => Json.ValueKind == JsonValueKind.Object && Json.TryGetProperty(key, out var value) ? value : null;
}
