using System.Text;
using Microsoft.Extensions.AI;

namespace Fovea.Extensions.AI;

/// <summary>
/// Divides a model's text, as it comes, into what is said, what is thought (<c>&lt;think&gt;</c> at its beginning) and, where there are tools, calls of them
/// (<c>&lt;tool_call&gt;</c>). What looks like a call but cannot be read as one stays text.
/// </summary>
internal sealed class AnswerReader(IReadOnlyDictionary<string, AIFunctionDeclaration> tools, bool oneCall)
{
    private const string ThoughtStart = "<think>", ThoughtEnd = "</think>", CallStart = "<tool_call>", CallEnd = "</tool_call>";
    private readonly StringBuilder held = new();
    private Place place = Place.Start;

    private enum Place
    {
        Start,
        Thought,
        Behind,
        Text,
        Call,
    }

    /// <summary>How many calls were read.</summary>
    public int Calls { get; private set; }

    /// <summary>What is known now that more text has come.</summary>
    public IEnumerable<AIContent> Read(string text)
    {
        held.Append(text);
        return Take(last: false);
    }

    /// <summary>What was held back, now that nothing more comes.</summary>
    public IEnumerable<AIContent> End() => Take(last: true);

    private IEnumerable<AIContent> Take(bool last)
    {
        while (held.Length > 0)
        {
            var text = held.ToString();
            var contents = new List<AIContent>();
            var used = place switch
            {
                Place.Start => Start(text, last),
                Place.Thought => Thought(text, last, contents),
                Place.Behind => Behind(text),
                Place.Call => Call(text, last, contents),
                _ => Text(text, last, contents),
            };
            held.Remove(0, used.Length);
            foreach (var content in contents)
            {
                yield return content;
            }

            if (!used.GoesOn)
            {
                yield break;
            }
        }
    }

    private (int Length, bool GoesOn) Start(string text, bool last)
    {
        var begins = text.AsSpan().TrimStart();
        if (begins.StartsWith(ThoughtStart))
        {
            place = Place.Thought;
            return (text.Length - begins.Length + ThoughtStart.Length, true);
        }

        if (!last && ThoughtStart.AsSpan().StartsWith(begins))
        {
            return (0, false);
        }

        place = Place.Text;
        return (0, true);
    }

    private (int Length, bool GoesOn) Thought(string text, bool last, List<AIContent> contents)
    {
        var end = text.IndexOf(ThoughtEnd, StringComparison.Ordinal);
        var length = end >= 0 ? end : last ? text.Length : text.Length - Held(text, ThoughtEnd);
        if (length > 0)
        {
            contents.Add(new TextReasoningContent(text[..length]));
        }

        if (end < 0)
        {
            return (length, false);
        }

        place = Place.Behind;
        return (end + ThoughtEnd.Length, true);
    }

    // Blank lines part the thought from the answer and belong to neither.
    private (int Length, bool GoesOn) Behind(string text)
    {
        var blank = text.Length - text.AsSpan().TrimStart('\n').Length;
        place = blank < text.Length ? Place.Text : place;
        return (blank, blank < text.Length);
    }

    private (int Length, bool GoesOn) Text(string text, bool last, List<AIContent> contents)
    {
        var start = tools.Count == 0 ? -1 : text.IndexOf(CallStart, StringComparison.Ordinal);
        if (start >= 0)
        {
            Say(text.AsSpan(0, start).TrimEnd());
            place = Place.Call;
            return (start + CallStart.Length, true);
        }

        var length = last || tools.Count == 0 ? text.Length : text.Length - Held(text, CallStart);
        if (!last && tools.Count > 0)
        {
            // White space before a call is not said.
            length = text.AsSpan(0, length).TrimEnd().Length;
        }

        Say(text.AsSpan(0, length));
        return (length, false);

        void Say(ReadOnlySpan<char> said)
        {
            if (said.Length > 0 && (Calls == 0 || !said.IsWhiteSpace()))
            {
                contents.Add(new TextContent(said.ToString()));
            }
        }
    }

    private (int Length, bool GoesOn) Call(string text, bool last, List<AIContent> contents)
    {
        var end = text.IndexOf(CallEnd, StringComparison.Ordinal);
        if (end < 0 && !last)
        {
            return (0, false);
        }

        place = Place.Text;
        var call = end < 0 ? null : ToolCallText.Read(text[..end], tools);
        if (call is null)
        {
            contents.Add(new TextContent(CallStart + (end < 0 ? text : text[..(end + CallEnd.Length)])));
        }
        else if (Calls == 0 || !oneCall)
        {
            Calls++;
            contents.Add(call);
        }

        return (end < 0 ? text.Length : end + CallEnd.Length, true);
    }

    /// <summary>How many of a text's last characters may be the beginning of a marker.</summary>
    private static int Held(string text, string marker)
    {
        for (var length = Math.Min(marker.Length - 1, text.Length); length > 0; length--)
        {
            if (marker.AsSpan().StartsWith(text.AsSpan(text.Length - length)))
            {
                return length;
            }
        }

        return 0;
    }
}
