using System.Text;

namespace Fovea.Generation.Sampling;

/// <summary>
/// The text of an answer as it comes, up to a stop string. What may be the beginning of one is held back until it is clear. How the text is cut into pieces
/// makes no difference: the stop string that is complete first ends the answer, of those complete at the same place the longest.
/// </summary>
internal sealed class StopText(IReadOnlyCollection<string> stops)
{
    private readonly StringBuilder held = new();

    /// <summary>A stop string came; nothing is given out any more.</summary>
    public bool Ended { get; private set; }

    /// <summary>Takes the next piece and gives out what is certain to belong to the answer.</summary>
    /// <param name="piece">Whole characters.</param>
    /// <param name="look">False while the answer is too short to end.</param>
    public string Push(string piece, bool look = true)
    {
        if (Ended)
        {
            return string.Empty;
        }

        if (stops.Count == 0 || (!look && held.Length == 0))
        {
            return piece;
        }

        var from = held.Length;
        held.Append(piece);
        var text = held.ToString();
        held.Clear();
        for (var end = from + 1; look && end <= text.Length; end++)
        {
            var longest = 0;
            foreach (var stop in stops)
            {
                if (stop.Length > longest && text.AsSpan(0, end).EndsWith(stop, StringComparison.Ordinal))
                {
                    longest = stop.Length;
                }
            }

            if (longest > 0)
            {
                Ended = true;
                return text[..(end - longest)];
            }
        }

        var open = look ? stops.Max(stop => Open(text, stop)) : 0;
        held.Append(text.AsSpan(text.Length - open));
        return text[..^open];
    }

    /// <summary>What was held back, when the answer ends otherwise.</summary>
    public string Flush()
    {
        var text = held.ToString();
        held.Clear();
        return text;
    }

    /// <summary>How many characters at the end of a text may begin a stop string.</summary>
    private static int Open(string text, string stop)
    {
        for (var length = Math.Min(text.Length, stop.Length - 1); length > 0; length--)
        {
            if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
            {
                return length;
            }
        }

        return 0;
    }
}
