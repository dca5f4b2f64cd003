using System.Globalization;
using System.Text;

namespace Fovea.Evaluation.Report;

/// <summary>Text and numbers as they may stand in an HTML file, in an element or in a quoted attribute.</summary>
internal static class HtmlText
{
    /// <summary>
    /// Escapes what has a meaning in HTML. Control characters, which no HTML file may hold, are shown by their symbols, and halves of surrogate pairs by the
    /// replacement character.
    /// </summary>
    public static string Escape(string text)
    {
        var result = new StringBuilder(text.Length + 16);
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                result.Append(c).Append(text[++i]);
                continue;
            }

            _ = c switch
            {
                '&' => result.Append("&amp;"),
                '<' => result.Append("&lt;"),
                '>' => result.Append("&gt;"),
                '"' => result.Append("&quot;"),
                '\'' => result.Append("&#39;"),
                '\n' or '\t' => result.Append(c),
                '\r' => result.Append(i + 1 < text.Length && text[i + 1] == '\n' ? string.Empty : "\n"),
                < ' ' => result.Append((char)(0x2400 + c)),
                '\u007f' => result.Append('\u2421'),
                >= '\u0080' and < '\u00a0' or '\ufffe' or '\uffff' => result.Append('\ufffd'),
                _ => result.Append(char.IsSurrogate(c) ? '\ufffd' : c),
            };
        }

        return result.ToString();
    }

    /// <summary>The same, not longer than so many characters; what was cut is said.</summary>
    public static string Escape(string text, int most)
    {
        if (text.Length <= most)
        {
            return Escape(text);
        }

        var cut = char.IsHighSurrogate(text[most - 1]) ? most - 1 : most;
        return $"{Escape(text[..cut])}<em class=\"cut\">… cut here: {Count(text.Length)} characters in all</em>";
    }

    /// <summary>As many digits as help: 4 of the fraction at most.</summary>
    public static string Number(double value) => value.ToString(Math.Abs(value) >= 100 ? "0.##" : "0.####", CultureInfo.InvariantCulture);

    /// <summary>Two digits behind the point, so that a column of them is easily compared.</summary>
    public static string Score(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);

    /// <summary>A count with thin spaces between thousands.</summary>
    public static string Count(long value) => value.ToString("#,0", CultureInfo.InvariantCulture).Replace(',', '\u2009');

    /// <summary>A file's size.</summary>
    public static string Size(long bytes) => bytes switch
    {
        < 1024 => $"{bytes} bytes",
        < 1 << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0} KiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):0.0} MiB"),
    };
}
