using System.Globalization;
using System.Text.RegularExpressions;

namespace Fovea.Evaluation;

/// <summary>Python's <c>float(text)</c>.</summary>
internal static partial class PythonFloat
{
    public static double? Parse(string text)
    {
        text = PythonText.Trim(text);
        if (Number().IsMatch(text))
        {
            return double.Parse(text.Replace("_", string.Empty, StringComparison.Ordinal), CultureInfo.InvariantCulture);
        }

        var sign = text.StartsWith('-') ? -1 : 1;
        return text.TrimStart('+', '-').ToLowerInvariant() switch
        {
            _ when text.Length > 1 && text[1] is '+' or '-' => null,
            "inf" or "infinity" => sign * double.PositiveInfinity,
            "nan" => double.NaN,
            _ => null,
        };
    }

    [GeneratedRegex(
        @"^[+-]?(?:[0-9](?:_?[0-9])*\.?(?:[0-9](?:_?[0-9])*)?|\.[0-9](?:_?[0-9])*)(?:[eE][+-]?[0-9](?:_?[0-9])*)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Number();
}
