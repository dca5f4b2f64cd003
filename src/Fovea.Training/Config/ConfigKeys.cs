using System.Globalization;
using System.Reflection;

namespace Fovea.Training.Config;

/// <summary>The table of honoured keys: every settable property of <see cref="TrainConfig"/>.</summary>
internal static class ConfigKeys
{
    public static IReadOnlyList<ConfigKey> All { get; } =
    [
        .. typeof(TrainConfig).GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(property => property.SetMethod is { IsPublic: true })
            .OrderBy(property => property.MetadataToken)
            .Select(property => new ConfigKey(property)),
    ];

    private static readonly Dictionary<string, ConfigKey> ByName = All
        .Select(key => (key.Name, Key: key))
        .Concat(All.SelectMany(key => key.Aliases.Select(alias => (Name: alias, Key: key))))
        .ToDictionary(pair => pair.Name, pair => pair.Key);

    public static ConfigKey? Find(string name) => ByName.GetValueOrDefault(name);

    /// <summary>Every name that means something, honoured ones first.</summary>
    public static IEnumerable<string> Known => ByName.Keys.Concat(RefusedKeys.All.Keys).Concat(IgnoredKeys.All.Keys).Concat(OfficialArguments.Names);

    public static IReadOnlyDictionary<string, string> Describe(TrainConfig config) =>
        All.ToDictionary(key => key.Name, key => Show(key, key.Property.GetValue(config)));

    private static string Show(ConfigKey key, object? value) => value switch
    {
        null => key.Auto ? "auto" : "null",
        bool flag => flag ? "true" : "false",
        Toggle toggle => toggle switch { Toggle.On => "true", Toggle.Off => "false", _ => "auto" },
        Enum choice => ConfigKey.SnakeCase(choice.ToString()),
        IReadOnlyList<string> list => string.Join(',', list),
        IReadOnlyDictionary<string, double> map => $"{{{string.Join(", ", map.Select(pair => FormattableString.Invariant($"{pair.Key}: {pair.Value}")))}}}",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? string.Empty,
    };
}
