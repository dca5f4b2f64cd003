using System.Globalization;
using System.Text;
using System.Text.Json;
using Fovea.Models.Peft;

namespace Fovea.Training.Config;

/// <summary>Gives written values their type. What does not fit is a <see cref="FormatException"/> that says what would.</summary>
internal static class ConfigValues
{
    public static object Convert(ConfigNode node, ConfigKey key)
    {
        var type = Nullable.GetUnderlyingType(key.Property.PropertyType) ?? key.Property.PropertyType;
        if (type == typeof(IReadOnlyList<string>))
        {
            var texts = Texts(node, key.Pattern);
            return key.FilePath ? Array.ConvertAll(texts, Home) : texts;
        }

        if (type == typeof(IReadOnlyList<double>))
        {
            return Array.ConvertAll(Texts(node, pattern: false), text => Number(text) ?? throw new FormatException("it must be numbers separated by commas"));
        }

        if (type == typeof(NamedValues))
        {
            return NamedValues.Parse(node);
        }

        if (type == typeof(IReadOnlyDictionary<string, double>))
        {
            return Numbers(node);
        }

        if (key.Inline && node is ConfigNode.Map map)
        {
            return map.ToJson();
        }

        var text = node is ConfigNode.Scalar { Text: { } scalar } ? scalar.Trim() : throw new FormatException("it must be a single value");
        return type switch
        {
            _ when type == typeof(string) => key.FilePath ? Home(text) : text,
            _ when type == typeof(bool) => Flag(text) ?? throw new FormatException("it must be true or false"),
            _ when type == typeof(int) => (int)Whole(text, key, int.MaxValue),
            _ when type == typeof(long) => Whole(text, key, 1L << 53),
            _ when type == typeof(double) => Real(text, key),
            _ when type == typeof(StepInterval) => Steps(text),
            _ when type == typeof(MemorySize) => MemorySize.Parse(text) ?? throw new FormatException($"it must be a size such as 20GiB or 512MiB{OrAuto(key)}"),
            _ when type == typeof(Toggle) => Switch(text),
            _ when type == typeof(OffloadKind) && Flag(text) == false => OffloadKind.None,
            _ when type == typeof(RecomputeMode) && Flag(text) is { } on => on ? RecomputeMode.Always : RecomputeMode.Never,
            _ when type == typeof(OptimizerKind) && OptimizerNames.Find(text.ToLowerInvariant()) is { } optimizer => optimizer,
            _ => Choice(text, type),
        };
    }

    private static string Home(string path) => UserPath.TryExpand(path, out var expanded) is { } why ? throw new FormatException(why) : expanded;

    private static bool? Flag(string text) => text.ToLowerInvariant() switch
    {
        "true" or "yes" or "on" or "1" => true,
        "false" or "no" or "off" or "0" => false,
        _ => null,
    };

    private static Toggle Switch(string text) => Flag(text) switch
    {
        true => Toggle.On,
        false => Toggle.Off,
        _ => text == "auto" ? Toggle.Auto : throw new FormatException("it must be auto, true or false"),
    };

    private static object Choice(string text, Type type)
    {
        // YAML 1.1 reads a bare 'no' as false, and some tools write it back so.
        var wanted = Flag(text) == false ? "no" : text.ToLowerInvariant();
        foreach (var value in Enum.GetValues(type))
        {
            if (ConfigKey.SnakeCase(value.ToString()!) == wanted)
            {
                return value;
            }
        }

        throw new FormatException($"it must be one of {string.Join(", ", Enum.GetNames(type).Select(ConfigKey.SnakeCase))}");
    }

    private static double? Number(string text) =>
        double.TryParse(text.Replace("_", string.Empty), NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value)
            ? value
            : null;

    private static double Real(string text, ConfigKey key)
    {
        var value = Number(text) ?? throw new FormatException($"it must be a number{Range(key)}{OrAuto(key)}");
        return key.Bounds?.Allows(value) ?? true ? value : throw new FormatException($"it must be a number{Range(key)}{OrAuto(key)}");
    }

    private static long Whole(string text, ConfigKey key, long max)
    {
        var fits = Number(text) is { } value && value == Math.Floor(value) && Math.Abs(value) <= max && (key.Bounds?.Allows(value) ?? true);
        return fits ? checked((long)Number(text)!.Value) : throw new FormatException($"it must be a whole number{Range(key)}{OrAuto(key)}");
    }

    private static StepInterval Steps(string text) =>
        Number(text) is { } value && value > 0 && value <= int.MaxValue && (value < 1 || value == Math.Floor(value))
            ? new StepInterval(value)
            : throw new FormatException("it must be a whole number of at least 1, or a part of the run more than 0 and less than 1");

    private static string[] Texts(ConfigNode node, bool pattern) => node switch
    {
        ConfigNode.Items list => [.. list.Values.Select(Text)],
        ConfigNode.Scalar { Text: { } text } when pattern && text.AsSpan().ContainsAny(LoraTargets.PatternCharacters) => [text.Trim()],
        ConfigNode.Scalar { Text: { } text } => text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
        _ => throw new FormatException("it must be words separated by commas, or a list"),
    };

    private static string Text(ConfigNode item) =>
        item is ConfigNode.Scalar { Text: { } text } ? text.Trim() : throw new FormatException("its items must be words");

    private static Dictionary<string, double> Numbers(ConfigNode node)
    {
        if (node is ConfigNode.Scalar { Text: { } text })
        {
            node = Json(text);
        }

        var numbers = new Dictionary<string, double>();
        foreach (var (key, value) in node is ConfigNode.Map map ? map.Pairs : throw new FormatException("it must be a map from names to numbers"))
        {
            var number = value is ConfigNode.Scalar { Text: { } written } ? Number(written) : null;
            if (!numbers.TryAdd(key, number ?? throw new FormatException($"{key} must be a number")))
            {
                throw new FormatException($"{key} is given twice");
            }
        }

        return numbers;
    }

    private static ConfigNode Json(string text)
    {
        try
        {
            using var json = JsonText.Parse(Encoding.UTF8.GetBytes(text));
            return ConfigFile.Convert(json.RootElement);
        }
        catch (JsonException)
        {
            throw new FormatException("it must be a map from names to numbers");
        }
    }

    private static string Range(ConfigKey key) => key.Bounds is null ? string.Empty : $", {key.Bounds}";

    private static string OrAuto(ConfigKey key) => key.Auto ? ", or auto" : string.Empty;
}
