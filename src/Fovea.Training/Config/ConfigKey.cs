using System.Reflection;
using System.Text;
using Fovea.Keys;

namespace Fovea.Training.Config;

/// <summary>An honoured key: the property that holds it and what its value may be.</summary>
/// <param name="section">The record of a configuration that has the property.</param>
internal sealed class ConfigKey(PropertyInfo property, Func<TrainConfig, object> section)
{
    /// <summary>Its value in a configuration.</summary>
    public object? In(TrainConfig config) => Property.GetValue(section(config));

    /// <summary>Sets it while a configuration is being read.</summary>
    public void Set(TrainConfig config, object? value) => Property.SetValue(section(config), value);

    public PropertyInfo Property { get; } = property;

    public string Name { get; } = SnakeCase(property.Name);

    public IReadOnlyList<string> Aliases { get; } = property.GetCustomAttribute<AliasAttribute>()?.Keys ?? [];

    public BoundsAttribute? Bounds { get; } = property.GetCustomAttribute<BoundsAttribute>();

    /// <summary>What it changes; a test holds that every key says so.</summary>
    public Effect Effect { get; } = property.GetCustomAttribute<AffectsAttribute>()?.Effect ?? Effect.Learning;

    /// <summary>The property of a run's progress that is compared instead of what is written.</summary>
    public string? As { get; } = property.GetCustomAttribute<AffectsAttribute>()?.As;

    /// <summary>The key takes <c>auto</c> for null.</summary>
    public bool Auto { get; } = property.GetCustomAttribute<AutoAttribute>() is not null;

    /// <summary>A null that is written is its value, not its default.</summary>
    public bool NullIsValue { get; } = property.GetCustomAttribute<NullIsValueAttribute>() is not null;

    /// <summary>The list may be one regular expression.</summary>
    public bool Pattern { get; } = property.GetCustomAttribute<PatternAttribute>() is not null;

    /// <summary>It names files or folders.</summary>
    public bool FilePath { get; } = property.GetCustomAttribute<FilePathAttribute>() is not null;

    /// <summary>Its value is shown nowhere.</summary>
    public bool Secret { get; } = property.GetCustomAttribute<SecretAttribute>() is not null;

    /// <summary>The text may be a mapping.</summary>
    public bool Inline { get; } = property.GetCustomAttribute<InlineAttribute>() is not null;

    /// <summary>
    /// <c>PerDeviceTrainBatchSize</c> to <c>per_device_train_batch_size</c>; digits stay with the letters before them (<c>adam_beta1</c>) unless small ones
    /// follow (<c>adamw_8bit</c>).
    /// </summary>
    public static string SnakeCase(string name)
    {
        var text = new StringBuilder();
        for (var i = 0; i < name.Length; i++)
        {
            var begins = char.IsAsciiDigit(name[i]) && !char.IsAsciiDigit(name[Math.Max(i - 1, 0)])
                && name.AsSpan(i).TrimStart("0123456789") is [>= 'a' and <= 'z', ..];
            if ((char.IsAsciiLetterUpper(name[i]) || begins) && text.Length > 0)
            {
                text.Append('_');
            }

            text.Append(char.ToLowerInvariant(name[i]));
        }

        return text.ToString();
    }
}
