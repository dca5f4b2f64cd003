using System.Globalization;
using System.Text.RegularExpressions;

namespace Fovea.Models;

/// <summary>A linear of one expert, in files that do not have those of all experts as one weight.</summary>
/// <param name="Weight">Of all experts, as Transformers calls it.</param>
/// <param name="Expert">Its number.</param>
/// <param name="Part">Its place among the expert's in that weight: gates come before what they gate.</param>
internal sealed partial record ExpertPiece(string Weight, int Expert, int Part)
{
    /// <returns>Null for any other name.</returns>
    public static ExpertPiece? Of(string name)
    {
        var match = Pattern().Match(name);
        if (!match.Success)
        {
            return null;
        }

        var linear = match.Groups[3].Value;
        var weight = $"{match.Groups[1].Value}.{(linear == "down" ? "down_proj" : "gate_up_proj")}";
        return new ExpertPiece(weight, int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture), linear == "up" ? 1 : 0);
    }

    [GeneratedRegex(@"^(.+\.experts)\.([0-9]{1,6})\.(gate|up|down)_proj\.weight$", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
