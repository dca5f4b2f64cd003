using System.Text;
using Fovea.Data.Objects;

namespace Fovea.Data.Datasets;

/// <summary>Between text in which <c>&lt;image&gt;</c> stands where an image goes, as rows and people write it, and the parts of a message.</summary>
internal static class Placeholders
{
    /// <summary>The text that stands for one image.</summary>
    public const string Image = "<image>";

    /// <summary>How many images a text has places for.</summary>
    public static int Count(string text)
    {
        var count = 0;
        for (var at = text.IndexOf(Image, StringComparison.Ordinal); at >= 0; at = text.IndexOf(Image, at + Image.Length, StringComparison.Ordinal))
        {
            count++;
        }

        return count;
    }

    /// <summary>The parts of a text: an image at each place, text around them.</summary>
    /// <param name="text">With as many places as images are taken.</param>
    /// <param name="next">Gives the image of the next place.</param>
    public static IReadOnlyList<Part> Split(string text, Func<MediaSource> next) => Split(text, [Image], _ => new Image(next()));

    /// <summary>The parts of a text in which several marks stand for something.</summary>
    /// <param name="marks">None is the beginning of another.</param>
    /// <param name="next">Gives what stands at the next place of a mark.</param>
    public static IReadOnlyList<Part> Split(string text, IReadOnlyList<string> marks, Func<string, Part> next)
    {
        var parts = new List<Part>();
        var from = 0;
        for (var (at, mark) = Find(text, marks, 0); mark is not null; (at, mark) = Find(text, marks, from))
        {
            AddText(text[from..at]);
            parts.Add(next(mark));
            from = at + mark.Length;
        }

        AddText(text[from..]);
        return parts;

        void AddText(string piece)
        {
            if (piece.Length > 0)
            {
                parts.Add(new Text(piece));
            }
        }
    }

    private static (int At, string? Mark) Find(string text, IReadOnlyList<string> marks, int from)
    {
        (int At, string? Mark) first = (text.Length, null);
        foreach (var mark in marks)
        {
            var at = text.AsSpan(from, Math.Min(first.At + mark.Length, text.Length) - from).IndexOf(mark, StringComparison.Ordinal);
            first = at >= 0 && from + at < first.At ? (from + at, mark) : first;
        }

        return first;
    }

    /// <summary>A message as one text again.</summary>
    public static string Join(Message message) => Join(message.Parts, () => Image);

    /// <summary>Parts of text and images as one text.</summary>
    /// <param name="parts">Objects, calls of tools and their results stand as rows have them; there are no others.</param>
    /// <param name="image">What is written for the next image.</param>
    public static string Join(IReadOnlyList<Part> parts, Func<string> image)
    {
        if (parts is [Text only])
        {
            return only.Value;
        }

        var text = new StringBuilder();
        foreach (var part in parts)
        {
            text.Append(part switch
            {
                Text piece => piece.Value,
                ObjectName name => name.Value,
                ObjectPlace => RowObjects.PlaceMark,
                ToolResult result => result.Content,
                ToolCall call => ToolJson.Written(call),
                _ => image(),
            });
        }

        return text.ToString();
    }
}
