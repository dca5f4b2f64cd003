using System.Collections;
using System.Globalization;
using System.Reflection;
using Fovea.Training.Config;

namespace Fovea.Running;

/// <summary>Settings made in code as entries of a configuration, so that files and code meet in the same checks.</summary>
internal static class OptionEntries
{
    private const string Root = "options";

    /// <exception cref="ConfigException">A value that was set by name is of a type that no key takes.</exception>
    public static IReadOnlyList<ConfigEntry> Of(FineTuneOptions options) =>
    [
        .. Typed(options, Root),
        .. PrecisionOf(options.Precision),
        .. options.Others.Select(other => new ConfigEntry(other.Key, ByName(other.Key, other.Value), $"{Root}[\"{other.Key}\"]")),
    ];

    /// <summary>A key with one value, as text.</summary>
    public static ConfigEntry One(string key, string place, string value) => new(key, new ConfigNode.Scalar(value), place);

    /// <summary>A key with a list.</summary>
    public static ConfigEntry Many(string key, string place, IEnumerable<string> values) => new(key, Node(values.ToList())!, place);

    private static IEnumerable<ConfigEntry> Typed(object settings, string place)
    {
        foreach (var property in settings.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.GetIndexParameters().Length == 0))
        {
            var (value, here) = (property.GetValue(settings), $"{place}.{property.Name}");
            if (property.GetCustomAttribute<KeyAttribute>() is { } key)
            {
                if (value is not null)
                {
                    yield return new ConfigEntry(key.Name, Node(value)!, here);
                }
            }
            else if (value is not null && !property.CanWrite)
            {
                foreach (var entry in Typed(value, here))
                {
                    yield return entry;
                }
            }
        }
    }

    /// <summary>Three keys of which one at most is true.</summary>
    private static IEnumerable<ConfigEntry> PrecisionOf(Precision? precision)
    {
        (string Key, Precision Means)[] keys = [("bf16", Precision.Bf16), ("fp16", Precision.Fp16), ("pure_bf16", Precision.PureBf16)];
        return precision is { } chosen ? keys.Select(key => new ConfigEntry(key.Key, Node(key.Means == chosen)!, $"{Root}.Precision")) : [];
    }

    private static ConfigNode ByName(string key, object? value) => value switch
    {
        null => new ConfigNode.Scalar(null),
        string text => ConfigFile.ParseValue(text),
        _ => Node(value) ?? throw new ConfigException($"{Root}[\"{key}\"]: a value must be text, a number, true or false, or a list of texts, not "
            + $"{value.GetType().Name}"),
    };

    private static ConfigNode? Node(object value) => value switch
    {
        string text => new ConfigNode.Scalar(text),
        bool flag => new ConfigNode.Scalar(flag ? "true" : "false"),
        Enum choice => new ConfigNode.Scalar(ConfigKey.SnakeCase(choice.ToString())),
        int or long or float or double or decimal => new ConfigNode.Scalar(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture)),
        IReadOnlyDictionary<string, double> map => new ConfigNode.Map([.. map.Select(pair => KeyValuePair.Create(pair.Key, Node(pair.Value)!))]),
        IEnumerable list when list.Cast<object?>().All(item => item is string) =>
            new ConfigNode.Items([.. list.Cast<string>().Select(text => new ConfigNode.Scalar(text))]),
        _ => null,
    };
}
