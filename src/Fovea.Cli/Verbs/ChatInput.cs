using System.Text.RegularExpressions;

namespace Fovea.Cli.Verbs;

/// <summary>A line that somebody typed, as a question with <c>&lt;image&gt;</c> where images go, and their files in that order.</summary>
internal sealed partial record ChatInput(string Text, IReadOnlyList<string> Images)
{
    private const string Placeholder = "<image>";

    /// <param name="line">May hold <c>&lt;image&gt;path&lt;/image&gt;</c>, paths of image files (quoted if they hold spaces), or bare placeholders.</param>
    /// <param name="attached">Files given before: the last ones fill the placeholders, the others come first.</param>
    /// <exception cref="ConfigException">There are more placeholders than files for them.</exception>
    public static ChatInput Parse(string line, IReadOnlyList<string> attached)
    {
        var parts = Parts().Matches(line);
        var open = parts.Count(part => part.Groups["open"].Success);
        if (open > attached.Count)
        {
            throw new ConfigException($"the text has {open} places for images (<image>), but {attached.Count} images were given; give one with /image PATH");
        }

        var next = attached.Count - open;
        var images = attached.Take(next).ToList();
        var text = Parts().Replace(line, part =>
        {
            var file = part.Groups["open"].Success ? attached[next++]
                : part.Groups["tag"].Success ? Home(part.Groups["tag"].Value.Trim())
                : Home(part.Groups["file"].Value.Replace("\\ ", " ", StringComparison.Ordinal));
            if (part.Groups["file"].Success && !File.Exists(file))
            {
                return part.Value;
            }

            images.Add(file);
            return Placeholder;
        });
        return new ChatInput(string.Concat(Enumerable.Repeat(Placeholder, attached.Count - open)) + text.Trim(), images);
    }

    /// <summary>A path with <c>~</c> as shells read it, without the quotes that terminals put around dropped files.</summary>
    internal static string Home(string path)
    {
        path = path.Length > 1 && path[0] is '\'' or '"' && path[^1] == path[0] ? path[1..^1] : path;
        return UserPath.Expand(path);
    }

    [GeneratedRegex("""
        <image>(?<tag>[^<>\r\n]+)</image>
        |(?<open><image>)
        |"(?<file>[^"]+\.(?:jpe?g|png|webp|gif))"
        |'(?<file>[^']+\.(?:jpe?g|png|webp|gif))'
        |(?<=^|[\s(])(?<file>(?:\\\ |[^\s<>"'])+?\.(?:jpe?g|png|webp|gif))(?=$|[\s,.;:?!)])
        """, RegexOptions.IgnorePatternWhitespace | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Parts();
}
