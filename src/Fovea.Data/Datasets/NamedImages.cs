using System.Text.Json;
using System.Text.RegularExpressions;

namespace Fovea.Data.Datasets;

/// <summary>
/// The rows of OpenBMB's trainer: <c>image</c> is one path, whose place need not be marked, or an object that names several (<c>&lt;image_00&gt;</c>).
/// They are brought into the common form, line breaks included, as its <c>dataset.py</c> writes them.
/// </summary>
internal static partial class NamedImages
{
    /// <summary>The one image of a row goes first where the text marks no place.</summary>
    internal static void Place(List<DraftMessage> messages)
    {
        var first = messages.FindIndex(message => message.Role == Role.User);
        if (first >= 0 && !messages.Exists(message => message.Role == Role.User && message.Text.Contains(Placeholders.Image, StringComparison.Ordinal)))
        {
            messages[first] = messages[first] with { Text = $"{Placeholders.Image}\n{messages[first].Text}" };
        }
    }

    /// <summary>Puts common placeholders where images are named, each on a line of its own.</summary>
    /// <returns>Names and values in the order of the text.</returns>
    internal static List<(string Name, JsonElement Value)> Resolve(JsonElement named, List<DraftMessage> messages, List<string> problems)
    {
        var images = new List<(string, JsonElement)>();
        var used = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < messages.Count; i++)
        {
            messages[i] = messages[i] with { Text = Write(messages[i].Text) };
        }

        foreach (var image in named.EnumerateObject().Where(image => !used.Contains(image.Name)))
        {
            problems.Add($"{Brief.Of(image.Name)} is listed but not in the text");
        }

        return images;

        string Write(string text)
        {
            var pieces = Names().Split(text);
            for (var i = 1; i < pieces.Length; i += 2)
            {
                if (!named.TryGetProperty(pieces[i], out var image))
                {
                    problems.Add($"the text has {Brief.Of(pieces[i])}, which the row's images do not name");
                    continue;
                }

                if (!used.Add(pieces[i]))
                {
                    problems.Add($"{Brief.Of(pieces[i])} is in the text more than once");
                }

                images.Add((pieces[i], image));
                pieces[i] = Placeholders.Image;
            }

            return string.Join('\n', pieces);
        }
    }

    [GeneratedRegex(@"(<image_\d+>)", RegexOptions.CultureInvariant)]
    private static partial Regex Names();
}
