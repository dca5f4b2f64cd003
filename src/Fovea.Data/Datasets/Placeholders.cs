using System.Text;

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
    public static IReadOnlyList<Part> Split(string text, Func<MediaSource> next)
    {
        var parts = new List<Part>();
        var from = 0;
        for (var at = text.IndexOf(Image, StringComparison.Ordinal); at >= 0; at = text.IndexOf(Image, from, StringComparison.Ordinal))
        {
            AddText(text[from..at]);
            parts.Add(new Image(next()));
            from = at + Image.Length;
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

    /// <summary>A message as one text again.</summary>
    public static string Join(Message message) => Join(message.Parts, () => Image);

    /// <summary>Parts of text and images as one text.</summary>
    /// <param name="parts">Without other kinds of parts.</param>
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
            text.Append(part is Text piece ? piece.Value : image());
        }

        return text.ToString();
    }
}
