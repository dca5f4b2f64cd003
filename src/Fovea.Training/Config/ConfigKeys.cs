using System.Globalization;
using System.Reflection;
using Fovea.Keys;
using Fovea.Models;

namespace Fovea.Training.Config;

/// <summary>The table of honoured keys: every property that says what it affects, of each section and of each family's options.</summary>
internal static class ConfigKeys
{
    public static IReadOnlyList<ConfigKey> All { get; } =
    [
        .. Declared(typeof(TrainConfig)).Where(section => section.PropertyType != typeof(FamilySettings))
            .SelectMany(section => Keys(section.PropertyType, config => section.GetValue(config)!)),
        .. Families.All.Select(family => family.Options.GetType()).Distinct().SelectMany(type => Keys(type, config => config.Family.With(type))),
    ];

    private static readonly Dictionary<string, ConfigKey> ByName = All
        .Select(key => (key.Name, Key: key))
        .Concat(All.SelectMany(key => key.Aliases.Select(alias => (Name: alias, Key: key))))
        .ToDictionary(pair => pair.Name, pair => pair.Key);

    public static ConfigKey? Find(string name) => ByName.GetValueOrDefault(name);

    /// <summary>Every name that means something, honoured ones first.</summary>
    public static IEnumerable<string> Known => ByName.Keys.Concat(RefusedKeys.All.Keys).Concat(IgnoredKeys.All.Keys).Concat(OfficialArguments.Names);

    public static IReadOnlyDictionary<string, string> Describe(TrainConfig config) => All.ToDictionary(key => key.Name, key => Show(key, key.In(config)));

    /// <summary>The keys that a section or a family's options declare.</summary>
    public static IEnumerable<string> Of(Type section) => Keys(section, _ => throw new InvalidOperationException("names only")).Select(key => key.Name);

    /// <summary>What of a family's keys is compared as it comes out rather than as it is written.</summary>
    public static IEnumerable<string> OutcomesOf(Type options) =>
        Keys(options, _ => throw new InvalidOperationException("names only")).Select(key => key.As).OfType<string>();

    private static IEnumerable<PropertyInfo> Declared(Type type) =>
        type.GetProperties(BindingFlags.Public | BindingFlags.Instance).OrderBy(property => property.MetadataToken);

    private static IEnumerable<ConfigKey> Keys(Type type, Func<TrainConfig, object> section) => Declared(type)
        .Where(property => property.GetCustomAttribute<AffectsAttribute>() is not null)
        .Select(property => new ConfigKey(property, section));

    private static string Show(ConfigKey key, object? value) => value switch
    {
        null => key.Auto ? "auto" : "null",
        _ when key.Secret => "(secret)",
        bool flag => flag ? "true" : "false",
        Toggle toggle => toggle switch { Toggle.On => "true", Toggle.Off => "false", _ => "auto" },
        Enum choice => ConfigKey.SnakeCase(choice.ToString()),
        IReadOnlyList<string> list => string.Join(',', list),
        IReadOnlyList<double> list => string.Join(',', list.Select(number => number.ToString(CultureInfo.InvariantCulture))),
        IReadOnlyDictionary<string, double> map => $"{{{string.Join(", ", map.Select(pair => FormattableString.Invariant($"{pair.Key}: {pair.Value}")))}}}",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? string.Empty,
    };
}
