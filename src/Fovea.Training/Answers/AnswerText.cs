using System.Text.Json;

namespace Fovea.Training.Answers;

/// <summary>Answers of rows as text, a JSON object a line.</summary>
internal static class AnswerText
{
    public static string Of(IEnumerable<RowAnswer> answers) => string.Concat(answers.Select(answer => Line(answer) + "\n"));

    public static string Line(RowAnswer answer) => PythonJson.TextLine(new Dictionary<string, object?>
    {
        ["row"] = answer.Row,
        [answer.Text is null ? "problem" : "answer"] = answer.Text ?? answer.Problem,
        ["seconds"] = Math.Round(answer.Seconds, 6),
    });

    /// <summary>The answers of a text, as <see cref="Of"/> writes it.</summary>
    public static IEnumerable<RowAnswer> Read(string text) => Read(text.Split('\n', StringSplitOptions.RemoveEmptyEntries));

    /// <summary>The answers of lines. The first line that is no answer and all behind it count as never written.</summary>
    public static IEnumerable<RowAnswer> Read(IEnumerable<string> lines)
    {
        foreach (var line in lines)
        {
            if (Parse(line) is not { } answer)
            {
                yield break;
            }

            yield return answer;
        }
    }

    private static RowAnswer? Parse(string line)
    {
        try
        {
            var map = PythonJson.ReadObject(line);
            return map.GetValueOrDefault("row") is long row and >= 0 and <= int.MaxValue
                && (map.GetValueOrDefault("answer") ?? map.GetValueOrDefault("problem")) is string
                ? new RowAnswer((int)row, map.GetValueOrDefault("answer") as string, map.GetValueOrDefault("problem") as string)
                {
                    Seconds = map.GetValueOrDefault("seconds") is double seconds ? seconds : 0,
                }
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
