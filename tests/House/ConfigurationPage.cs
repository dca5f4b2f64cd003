using System.Text;
using System.Text.RegularExpressions;
using Fovea.Models;
using Fovea.Training.Config;

namespace Fovea.Tests.House;

/// <summary>The text of docs/configuration.md, from the three tables of keys and the comments on the properties.</summary>
internal static partial class ConfigurationPage
{
    public static string Text()
    {
        var text = new StringBuilder("""
            # Configuration
            A run is described by one YAML (or JSON) file with the keys of LLaMA-Factory's supervised fine-tuning, and a few of our own.
            The file is flat; here the keys are grouped in sections. `fovea train FILE key=value ...` overrides single keys. Paths are relative to the
            current directory, `~` is the home folder. The file is UTF-8; [other encodings](decisions/users-text.md) are handled as in every file that is read.
            All errors are reported at once, with exit code 2; a key that is in none of the tables is an error that names the
            nearest known one.

            This page is generated from the code: `FOVEA_WRITE_DOCS=1 ./test --filter ConfigurationPageTests` regenerates it.

            ## Honoured

            """);
        var defaults = new TrainConfig().ToDictionary();
        foreach (var section in ConfigKeys.All.GroupBy(key => key.Property.DeclaringType!))
        {
            var (about, comments) = Comments(section.Key);
            text.Append($"\n### {Title(section.Key)}\n{about}\n\n| key | default | values | meaning |\n|---|---|---|---|\n");
            foreach (var key in section)
            {
                Append(text, key, defaults[key.Name], comments);
            }
        }

        text.Append("""

            ## Read beside another key
            Where what a key needs is missing, it is reported once as ignored.

            | key | only read |
            |---|---|

            """);
        foreach (var (keys, needs) in KeyNeeds.All)
        {
            text.Append($"| {string.Join(" ", keys.Select(key => $"`{key}`"))} | {needs} |\n");
        }

        text.Append("""

            ## Accepted without effect
            Each is reported once when a run starts, with the reason.

            | key | reason |
            |---|---|

            """);
        foreach (var group in IgnoredKeys.All.GroupBy(pair => pair.Value, pair => pair.Key))
        {
            text.Append($"| {string.Join(" ", group.Select(key => $"`{key}`"))} | {group.Key} |\n");
        }

        text.Append("""

            ## Rejected
            Ignoring these silently would train something other than what was requested. Switched off (`false`, `null`, `0`), or with the values of
            the second column, they are accepted.

            | key | accepted with | reason |
            |---|---|---|

            """);
        foreach (var (key, refused) in RefusedKeys.All)
        {
            var ignored = refused.Ignored is { } passed ? $"; `{passed.Value}` without effect: {passed.Reason}" : string.Empty;
            text.Append($"| `{key}` | {string.Join(" ", refused.Harmless.Select(value => $"`{value}`"))}{ignored} | {refused.Reason} |\n");
        }

        return text.ToString();
    }

    private static string Values(ConfigKey key)
    {
        var type = Nullable.GetUnderlyingType(key.Property.PropertyType) ?? key.Property.PropertyType;
        var what = type == typeof(bool) ? key.NullIsValue ? "true, false, null" : "true, false"
            : type == typeof(Toggle) ? "true, false, auto"
            : type.IsEnum ? string.Join(", ", Enum.GetNames(type).Select(ConfigKey.SnakeCase))
            : type == typeof(int) || type == typeof(long) ? "whole number"
            : type == typeof(double) ? "number"
            : type == typeof(string) ? key.Inline ? "path, or mapping" : key.FilePath ? "path" : "text"
            : type == typeof(StepInterval) ? "steps"
            : type == typeof(MemorySize) ? "size, for instance 20GB"
            : type == typeof(IReadOnlyList<string>) ? key.Pattern ? "names, or one regular expression" : key.FilePath ? "names or paths" : "names"
            : type == typeof(IReadOnlyList<double>) ? "numbers"
            : type == typeof(NamedValues) ? "map of numbers and words"
            : "map of numbers";
        return key.Bounds is null ? what : $"{what}, {key.Bounds}";
    }

    private static void Append(StringBuilder text, ConfigKey key, string standard, Dictionary<string, string> comments)
    {
        var alias = key.Aliases.Count == 0 ? string.Empty : $" (also {string.Join(", ", key.Aliases.Select(name => $"`{name}`"))})";
        var value = standard.Length > 0 ? $"`{standard}`" : string.Empty;
        text.Append($"| `{key.Name}`{alias} | {value} | {Values(key)} | {comments.GetValueOrDefault(key.Property.Name)} |\n");
    }

    private static string Title(Type section)
    {
        var families = Families.All.Where(family => family.Options.GetType() == section).Select(family => family.Title).ToList();
        return families.Count > 0 ? string.Join(", ", families) : section.Name.Replace("Section", string.Empty).Replace("Options", string.Empty);
    }

    /// <summary>What a section says of itself, and the one-line summaries of its properties by name.</summary>
    private static (string About, Dictionary<string, string> Comments) Comments(Type section)
    {
        var comments = new Dictionary<string, string>();
        var about = string.Empty;
        string? last = null;
        foreach (var line in SourceTree.Files.Single(file => file.Key.StartsWith("src/", StringComparison.Ordinal)
            && file.Key.EndsWith($"/{section.Name}.cs", StringComparison.Ordinal)).Value)
        {
            if (About().Match(line) is { Success: true } first)
            {
                about = first.Groups[1].Value;
            }
            else if (Summary().Match(line) is { Success: true } summary)
            {
                last = summary.Groups[1].Value;
            }
            else if (Property().Match(line) is { Success: true } property)
            {
                comments.Add(property.Groups[1].Value, Plain(last ?? string.Empty));
                last = null;
            }
        }

        return (about, comments);
    }

    private static string Plain(string comment)
    {
        // Comments also point at properties that are no keys.
        comment = Aside().Replace(comment, match => ConfigKeys.Find(ConfigKey.SnakeCase(match.Groups[1].Value)) is null ? string.Empty : match.Value);
        comment = Reference().Replace(comment, match => $"`{ConfigKey.SnakeCase(match.Groups[1].Value)}`");
        return Tag().Replace(comment, "`").Replace("|", "\\|");
    }

    [GeneratedRegex(@"^/// <summary>(.*)</summary>$", RegexOptions.CultureInvariant)]
    private static partial Regex About();

    [GeneratedRegex(@"^    /// <summary>(.*)</summary>$", RegexOptions.CultureInvariant)]
    private static partial Regex Summary();

    [GeneratedRegex(@"^    (?:\[.*\] )?public [^(=]*?(\w+) \{ get; init; \}", RegexOptions.CultureInvariant)]
    private static partial Regex Property();

    [GeneratedRegex(@"<see cref=""(\w+)""/>", RegexOptions.CultureInvariant)]
    private static partial Regex Reference();

    [GeneratedRegex(@"; see <see cref=""(\w+)""/>", RegexOptions.CultureInvariant)]
    private static partial Regex Aside();

    [GeneratedRegex(@"</?c>", RegexOptions.CultureInvariant)]
    private static partial Regex Tag();
}
