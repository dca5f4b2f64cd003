using System.Text;
using System.Text.RegularExpressions;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>The configurations that a dataset's card lists at its head (<c>configs:</c>): which files belong to which part and split.</summary>
internal sealed class DatasetCard
{
    public const string File = "README.md";
    private readonly IReadOnlyList<Part> parts;

    private DatasetCard(IReadOnlyList<Part> parts) => this.parts = parts;

    /// <summary>What a card says; null where it lists nothing, or what it lists cannot be read.</summary>
    public static DatasetCard? Read(string path)
    {
        try
        {
            var text = TextFile.Read(path).ReplaceLineEndings("\n");
            var end = text.StartsWith("---\n", StringComparison.Ordinal) ? text.IndexOf("\n---", 3, StringComparison.Ordinal) : -1;
            if (end < 0)
            {
                return null;
            }

            var head = YamlText.Parse(text[4..(end + 1)], File) is { } node ? YamlText.Convert(node, File) : null;
            return Field(head, "configs") is ConfigNode.Items { Values.Count: > 0 } list ? new DatasetCard([.. list.Values.Select(Part.Of)]) : null;
        }
        catch (ConfigException)
        {
            return null; // it is a page for people first
        }
    }

    /// <summary>Where the rows of a part and split are; null where the card does not say.</summary>
    /// <param name="subset">The part's name; null is the one that is meant where none is named.</param>
    /// <exception cref="ConfigException">One of several has to be named, or the part has no such split.</exception>
    public (IReadOnlyList<string> Patterns, string? Folder)? Find(string? subset, string split)
    {
        var part = subset is not null ? parts.FirstOrDefault(part => part.Name == subset)
            : parts.FirstOrDefault(part => part.IsDefault) ?? parts.FirstOrDefault(part => part.Name == "default") ?? (parts.Count == 1 ? parts[0]
                : throw new ConfigException($"its card lists {string.Join(", ", parts.Select(part => part.Name))}: name one of them with \"subset\""));
        if (part is null || (part.Files.Count == 0 && part.Folder is null))
        {
            return null;
        }

        if (part.Files.Count == 0)
        {
            return ([], part.Folder);
        }

        var patterns = part.Files.Where(files => files.Split == split).SelectMany(files => files.Patterns).ToList();
        return patterns.Count == 0
            ? throw new ConfigException(
                $"its card lists no files of the split '{split}'; there are {string.Join(", ", part.Files.Select(files => files.Split))}")
            : (patterns.ConvertAll(pattern => part.Folder is null ? pattern : $"{part.Folder.TrimEnd('/')}/{pattern}"), null);
    }

    /// <summary>A pattern of a card, in which <c>*</c> stays within a folder and <c>**</c> does not.</summary>
    public static Regex Shape(string pattern)
    {
        var (text, shape) = (pattern.EndsWith('/') ? pattern + "**" : pattern, new StringBuilder(@"\A(?:\./)?"));
        text = text.StartsWith("./", StringComparison.Ordinal) ? text[2..] : text;
        for (var i = 0; i < text.Length; i++)
        {
            var rest = text.AsSpan(i);
            if (rest.StartsWith("**/"))
            {
                shape.Append("(?:.*/)?");
                i += 2;
            }
            else if (rest.StartsWith("**"))
            {
                shape.Append(".*");
                i++;
            }
            else
            {
                shape.Append(text[i] switch { '*' => "[^/]*", '?' => "[^/]", var other => Regex.Escape(other.ToString()) });
            }
        }

        return new Regex(shape.Append(@"\z").ToString(), RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
    }

    private static ConfigNode? Field(ConfigNode? node, string name) =>
        node is ConfigNode.Map map ? map.Pairs.FirstOrDefault(pair => pair.Key == name).Value : null;

    private sealed record Part(string Name, bool IsDefault, string? Folder, IReadOnlyList<(string Split, IReadOnlyList<string> Patterns)> Files)
    {
        public static Part Of(ConfigNode node) => new(
            Word(Field(node, "config_name")) ?? "default", Word(Field(node, "default")) is "true" or "True", Word(Field(node, "data_dir"))?.Trim('/'),
            [.. FilesOf(Field(node, "data_files"))]);

        private static IEnumerable<(string Split, IReadOnlyList<string> Patterns)> FilesOf(ConfigNode? node)
        {
            switch (node)
            {
                case ConfigNode.Map map:
                    return map.Pairs.Select(pair => (pair.Key, Words(pair.Value)));
                case ConfigNode.Items list when list.Values.Any(value => value is ConfigNode.Map):
                    return list.Values.OfType<ConfigNode.Map>().Select(map => (Word(Field(map, "split")) ?? "train", Words(Field(map, "path"))));
                default:
                    var all = Words(node);
                    return all.Count > 0 ? [("train", all)] : [];
            }
        }

        private static IReadOnlyList<string> Words(ConfigNode? node) => node switch
        {
            ConfigNode.Items list => [.. list.Values.Select(Word).OfType<string>()],
            _ => Word(node) is { } one ? [one] : [],
        };

        private static string? Word(ConfigNode? node) => node is ConfigNode.Scalar { Text: { Length: > 0 } text } ? text : null;
    }
}
