using System.Text.Json;

namespace Fovea.Models;

/// <summary>
/// Reads one object of a checkpoint's config.json; a missing or odd key is an error that names file, key and what was expected. Whole numbers may be
/// written as 2.0 or 1e3. A size that no model could have is refused here, where its name is known: later it would be a division by zero or all memory.
/// </summary>
internal sealed class ConfigReader
{
    private const long MostOfASize = 1 << 24;
    private const long MostOfACount = 4096;
    private const long MostOfAPosition = 1 << 30;

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
        using var document = JsonFile.ReadObject(path, "model_name_or_path must be a Hugging Face model folder on this machine");
        return new ConfigReader(path, string.Empty, document.RootElement.Clone());
    }

    /// <summary>The same file's object, changed.</summary>
    public ConfigReader With(JsonElement changed) => new(file, prefix, changed);

    /// <summary>The object as it is in the file.</summary>
    public JsonElement Element => element;

    public bool Has(string key) => element.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null;

    /// <summary>Whether a key's value is a text.</summary>
    public bool HasText(string key) => Has(key) && element.GetProperty(key).ValueKind == JsonValueKind.String;

    /// <summary>The keys of this object whose value is not null.</summary>
    public IReadOnlyList<string> Names => [.. element.EnumerateObject().Where(p => p.Value.ValueKind != JsonValueKind.Null).Select(p => p.Name)];

    /// <summary>What an error calls a key of this object.</summary>
    public string PathOf(string key) => prefix + key;

    /// <summary>The value under a key as it is; null where it is absent.</summary>
    public JsonElement? Value(string key) => Has(key) ? element.GetProperty(key) : null;

    public bool HasObject(string key) => Has(key) && element.GetProperty(key).ValueKind == JsonValueKind.Object;

    /// <summary>The object under a key, or null when it is absent.</summary>
    public ConfigReader? Section(string key) => !Has(key) ? null
        : element.GetProperty(key) is { ValueKind: JsonValueKind.Object } section ? new ConfigReader(file, $"{prefix}{key}.", section)
        : throw Wrong(key, "an object");

    public int Int(string key, int? otherwise = null)
    {
        var (least, most) = Range(key);
        return Get(key, otherwise, v => JsonText.Whole(v) is { } i && i >= least && i <= most ? (int)i : null, $"a whole number from {least} to {most}");
    }

    public double Double(string key, double? otherwise = null) =>
        Get(key, otherwise, JsonText.Real, "a number");

    public bool Bool(string key, bool? otherwise = null) =>
        Get<bool>(key, otherwise, v => v.ValueKind is JsonValueKind.True or JsonValueKind.False ? v.GetBoolean() : null, "true or false");

    public string Text(string key, string otherwise = "") => !Has(key) ? otherwise
        : element.GetProperty(key) is { ValueKind: JsonValueKind.String } text ? text.GetString()!
        : throw Wrong(key, "text");

    /// <summary>A path as seen from this file's folder, whole.</summary>
    public string FilePath(string key, string folder) =>
        UserPath.TryExpand(Text(key), out var path) is { } why ? throw Wrong(key, $"a file or folder ({why})") : Path.GetFullPath(Path.Combine(folder, path));

    /// <summary>Whole numbers of at least 0.</summary>
    public int[] Ints(string key, int[]? otherwise = null) =>
        List(key, otherwise, v => JsonText.Whole(v) is >= 0 and <= MostOfASize and { } i ? (int)i : null, $"a list of whole numbers from 0 to {MostOfASize}");

    /// <summary>A list of texts, which must be there.</summary>
    public string[] Texts(string key) => Has(key) && element.GetProperty(key) is { ValueKind: JsonValueKind.Array } list
        && list.EnumerateArray().All(value => value.ValueKind == JsonValueKind.String)
        ? [.. list.EnumerateArray().Select(value => value.GetString()!)]
        : throw Wrong(key, "a list of texts");

    public double[] Doubles(string key, double[] otherwise) => List(key, otherwise, JsonText.Real, "a list of numbers");

    /// <summary>An error about one key of this file.</summary>
    public ConfigException Wrong(string key, string expected) =>
        new($"{file}: {prefix}{key} must be {expected}{(Has(key) ? $", not {JsonText.Show(element.GetProperty(key))}" : " and is missing")}");

    /// <summary>An error about a key that must not be there.</summary>
    public ConfigException Refused(string key, string why) => new($"{file}: {prefix}{key}: {why}");

    /// <summary>What the value of a key can be at all: layers are built one by one, ids begin at 0, everything else is a size.</summary>
    private static (long Least, long Most) Range(string key) =>
        key.EndsWith("_id", StringComparison.Ordinal) ? (0, MostOfASize)
        : key is "depth" || key.EndsWith("layers", StringComparison.Ordinal) || key.Contains("experts", StringComparison.Ordinal) ? (1, MostOfACount)
        : key.Contains("position", StringComparison.Ordinal) || key is "max_seq_len" ? (1, MostOfAPosition)
        : (1, MostOfASize);

    private T[] List<T>(string key, T[]? otherwise, Func<JsonElement, T?> read, string expected)
        where T : struct
    {
        if (!Has(key) && otherwise is not null)
        {
            return otherwise;
        }

        if (!Has(key) || element.GetProperty(key) is not { ValueKind: JsonValueKind.Array } list)
        {
            throw Wrong(key, expected);
        }

        return [.. list.EnumerateArray().Select(v => read(v) ?? throw Wrong(key, expected))];
    }

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
