using System.Text.Json;

namespace Fovea.Models;

/// <summary>Reads one object of a checkpoint's config.json; a missing or odd key is an error that names file, key and what was expected.</summary>
public sealed class ConfigReader
{
    private readonly string file;
    private readonly string prefix;
    private readonly JsonElement element;

    private ConfigReader(string file, string prefix, JsonElement element)
    {
        this.file = file;
        this.prefix = prefix;
        this.element = element;
    }

    public static ConfigReader Open(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new ConfigReader(path, string.Empty, document.RootElement.Clone())
                : throw new ConfigException($"{path}: not a JSON object");
        }
        catch (JsonException e)
        {
            throw new ConfigException($"{path}: not JSON: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var folder = Path.GetDirectoryName(path);
            var reason = !Directory.Exists(folder) ? $"there is no folder {folder}" : !File.Exists(path) ? $"{path} is missing" : $"{path}: {e.Message}";
            throw new ConfigException($"{reason}; model_name_or_path must be a Hugging Face model folder on this machine");
        }
    }

    public bool Has(string key) => element.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null;

    /// <summary>The keys of this object whose value is not null.</summary>
    public IReadOnlyList<string> Names => [.. element.EnumerateObject().Where(p => p.Value.ValueKind != JsonValueKind.Null).Select(p => p.Name)];

    /// <summary>What an error calls a key of this object.</summary>
    public string PathOf(string key) => prefix + key;

    /// <summary>The value under a key as it is; null where it is absent.</summary>
    public JsonElement? Value(string key) => Has(key) ? element.GetProperty(key) : null;

    /// <summary>The object under a key, or null when it is absent.</summary>
    public ConfigReader? Section(string key) => Has(key) && element.GetProperty(key).ValueKind == JsonValueKind.Object
        ? new ConfigReader(file, $"{prefix}{key}.", element.GetProperty(key))
        : null;

    public int Int(string key, int? otherwise = null) =>
        Get(key, otherwise, v => v.ValueKind == JsonValueKind.Number && v.TryGetInt32(out var i) ? i : null, "an integer");

    public double Double(string key, double? otherwise = null) =>
        Get(key, otherwise, v => v.ValueKind == JsonValueKind.Number ? v.GetDouble() : null, "a number");

    public bool Bool(string key, bool? otherwise = null) =>
        Get<bool>(key, otherwise, v => v.ValueKind is JsonValueKind.True or JsonValueKind.False ? v.GetBoolean() : null, "true or false");

    public string Text(string key, string otherwise = "") =>
        Has(key) && element.GetProperty(key).ValueKind == JsonValueKind.String ? element.GetProperty(key).GetString()! : otherwise;

    public int[] Ints(string key, int[]? otherwise = null)
    {
        if (!Has(key) && otherwise is not null)
        {
            return otherwise;
        }

        return element.TryGetProperty(key, out var list) && list.ValueKind == JsonValueKind.Array
            ? [.. list.EnumerateArray().Select(v => v.GetInt32())]
            : throw Wrong(key, "a list of integers");
    }

    public double[] Doubles(string key, double[] otherwise) => !Has(key) ? otherwise
        : element.GetProperty(key) is { ValueKind: JsonValueKind.Array } list && list.EnumerateArray().All(v => v.ValueKind == JsonValueKind.Number)
            ? [.. list.EnumerateArray().Select(v => v.GetDouble())]
            : throw Wrong(key, "a list of numbers");

    /// <summary>An error about one key of this file.</summary>
    public ConfigException Wrong(string key, string expected) =>
        new($"{file}: {prefix}{key} must be {expected}{(Has(key) ? $", not {element.GetProperty(key).GetRawText()}" : " and is missing")}");

    /// <summary>An error about a key that must not be there.</summary>
    public ConfigException Refused(string key, string why) => new($"{file}: {prefix}{key}: {why}");

    private T Get<T>(string key, T? otherwise, Func<JsonElement, T?> read, string expected)
        where T : struct
    {
        if (!Has(key))
        {
            return otherwise ?? throw Wrong(key, expected);
        }

        return read(element.GetProperty(key)) ?? throw Wrong(key, expected);
    }
}
