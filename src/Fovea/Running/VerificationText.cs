using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Fovea.Running;

/// <summary>A comparison of two sides, for reading.</summary>
internal static class VerificationText
{
    private const int Shown = 10;
    private static readonly JsonSerializerOptions Quoted = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Of(VerificationResult result)
    {
        var text = new StringBuilder().AppendLine($"A: {result.A}").AppendLine($"B: {result.B}").AppendLine(result.Rule).AppendLine();
        var different = result.Rows.Where(row => row.Difference is not null).ToList();
        foreach (var row in different.Take(Shown))
        {
            Add(text, row, row.Difference!);
        }

        if (different.Count > Shown)
        {
            text.AppendLine($"... and {different.Count - Shown} more rows (--json FILE has all)");
        }

        text.AppendLine($"{result.Rows.Count} rows, {result.Tokens} tokens compared: {result.Equal} equal, {result.NearTies} equal up to a near tie, "
            + $"{result.Different} different" + (result.Unanswered == 0 ? string.Empty : $", {result.Unanswered} that neither side answers"));
        text.AppendLine($"largest difference of log probabilities: {result.LargestDifference.ToString("0.###e+0", CultureInfo.InvariantCulture)}");
        return text.ToString();
    }

    private static void Add(StringBuilder text, VerificationRow row, VerificationDifference difference)
    {
        text.AppendLine($"row {row.Row}{(difference.Step is { } step ? $", token {step}" : string.Empty)}: {difference.What}");
        if (difference.TokenA is not null || difference.TokenB is not null)
        {
            text.AppendLine($"  A: {Side(difference.TokenA, difference.LogprobA)}").AppendLine($"  B: {Side(difference.TokenB, difference.LogprobB)}");
        }

        if (difference.Step is not null)
        {
            text.AppendLine($"  after: {Quote(difference.Before)}");
        }
    }

    private static string Side(string? token, double? logprob) => (token is null ? "nothing: the answer has ended" : Quote(token))
        + (logprob is { } known ? string.Create(CultureInfo.InvariantCulture, $", log probability {known:0.#####}") : string.Empty);

    private static string Quote(string text) => JsonSerializer.Serialize(text, Quoted);
}
