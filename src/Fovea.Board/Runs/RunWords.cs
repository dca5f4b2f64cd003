using System.Globalization;
using System.Text.RegularExpressions;

namespace Fovea.Board.Runs;

/// <summary>What <c>running_log.txt</c> says of the last run in a folder.</summary>
/// <param name="State">How it ended; null where it has not, or the log does not know.</param>
internal sealed partial record RunWords(string? Started, string? Model, RunState? State, string? Reason)
{
    /// <summary>When it began, if the log says so.</summary>
    public DateTime? Begun => DateTime.TryParseExact(
        Started, "yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal | DateTimeStyles.AdjustToUniversal, out var time)
        ? time : null;

    public static RunWords Of(string log)
    {
        var words = new RunWords(null, null, null, null);
        foreach (Match line in Line().Matches(log))
        {
            var text = line.Groups["text"].Value;
            if (Start().Match(text) is { Success: true } start)
            {
                words = new RunWords(line.Groups["time"].Value, start.Groups["model"].Value, null, null);
            }
            else if (Done().IsMatch(text))
            {
                words = words with { State = RunState.Finished, Reason = null };
            }
            else if (text.StartsWith("stopped after ", StringComparison.Ordinal))
            {
                words = words with { State = RunState.Stopped, Reason = text };
            }
            else if (text.StartsWith("failed after step ", StringComparison.Ordinal))
            {
                words = words with { State = RunState.Failed, Reason = text };
            }
        }

        return words;
    }

    [GeneratedRegex(@"^\[(?<level>[A-Z]+)\|(?<time>[-0-9]+ [0-9:]+)\] (?<text>[^\r\n]*)", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Line();

    [GeneratedRegex(@"^(?:\d+ steps on \d+ samples, from step \d+|answering \d+ held-out samples, \d+ answered before): (?<model>.*)$",
        RegexOptions.CultureInvariant)]
    private static partial Regex Start();

    [GeneratedRegex(@"^\d+ (?:steps done|answers) in [\d.]+ s$", RegexOptions.CultureInvariant)]
    private static partial Regex Done();
}
