using System.Text.Json;

namespace Fovea.Evaluation.IfEval;

/// <summary>
/// The arguments of one instruction as the data file has them. What is missing or malformed is an error: the original would draw a random one.
/// </summary>
/// <param name="values">An object of arguments; those that are null count as missing.</param>
/// <param name="id">The instruction, for messages.</param>
internal sealed class InstructionArguments(JsonElement values, string id)
{
    /// <exception cref="ConfigException">It is no text, or missing.</exception>
    public string Text(string name)
    {
        var value = Get(name);
        return value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Problem(name, "text", value);
    }

    /// <exception cref="ConfigException">It is no list of texts, or missing or empty.</exception>
    public IReadOnlyList<string> Texts(string name)
    {
        var value = Get(name);
        var isList = value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0;
        return isList && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
            ? [.. value.EnumerateArray().Select(item => item.GetString()!)]
            : throw Problem(name, "a list of texts", value);
    }

    /// <exception cref="ConfigException">It is no whole number of at least <paramref name="least"/>, or missing.</exception>
    public int Count(string name, int least = 0)
    {
        var value = Get(name);
        return JsonText.Whole(value) is { } whole && whole >= least && whole <= int.MaxValue ? (int)whole
            : throw Problem(name, $"a whole number of at least {least}", value);
    }

    /// <summary>How a count is compared: below the bound, or at least as high.</summary>
    /// <exception cref="ConfigException">It is neither, or missing.</exception>
    public Func<int, bool> Relation(string name, int bound)
    {
        var value = Get(name);
        return value.ValueKind == JsonValueKind.String
            ? value.GetString() switch
            {
                "less than" => count => count < bound,
                "at least" => count => count >= bound,
                _ => throw Problem(name, "\"less than\" or \"at least\"", value),
            }
            : throw Problem(name, "\"less than\" or \"at least\"", value);
    }

    private JsonElement Get(string name) => values.ValueKind == JsonValueKind.Object && values.TryGetProperty(name, out var value) ? value : default;

    private ConfigException Problem(string name, string expected, JsonElement value) => new(
        $"{id} needs {name}, {expected}, not {JsonText.Show(value)}");
}
