using System.Globalization;

namespace Fovea.Data.Templates.Jinja;

/// <summary>Filters that make numbers.</summary>
internal static class NumberFilters
{
    private const NumberStyles Signed = NumberStyles.AllowLeadingSign;
    private const NumberStyles Real = Signed | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;

    public static object? Int(object? subject, Arguments given)
    {
        var bound = given.Bind("int", "default?", "base?");
        if (Arguments.Whole(bound[1], 10, "the base of int") != 10)
        {
            throw new ValueException("'int' supports the base 10 alone");
        }

        return subject switch
        {
            Undefined undefined => throw undefined.Problem(),
            string text when long.TryParse(Digits(text), Signed, CultureInfo.InvariantCulture, out var whole) => whole,
            string text when TryFloat(text, out var real) && Whole(real) is { } whole => whole,
            double real when Whole(real) is { } whole => whole,
            bool or long => PyType.IsInteger(subject, out var number) ? number : 0,
            _ => Arguments.Or(bound[0], 0L),
        };
    }

    public static object? Float(object? subject, Arguments given)
    {
        var missing = given.Bind("float", "default?")[0];
        return subject is Undefined undefined ? throw undefined.Problem()
            : PyType.IsNumber(subject, out var number) ? number
            : subject is string text && TryFloat(text, out var real) ? real : Arguments.Or(missing, 0.0);
    }

    public static object? Round(object? subject, Arguments given)
    {
        var bound = given.Bind("round", "precision?", "method?");
        var places = Arguments.Whole(bound[0], 0, "the precision of round");
        var method = Arguments.Text(bound[1], "common", "the method of round");
        if (!PyType.IsNumber(subject, out var value))
        {
            throw subject is Undefined undefined ? undefined.Problem() : new ValueException($"'round' does not take a value of type '{PyType.Name(subject)}'");
        }

        var scale = Math.Pow(10, places);
        return method switch
        {
            "common" when subject is double => PyMath.Round(value, places),
            "common" => places >= 0 && PyType.IsInteger(subject, out var whole) ? whole : (object)(long)PyMath.Round(value, places),
            "ceil" => Math.Ceiling(value * scale) / scale,
            "floor" => Math.Floor(value * scale) / scale,
            _ => throw new ValueException("the method of round must be common, ceil or floor"),
        };
    }

    private static long? Whole(double real) => double.IsFinite(real) && Math.Abs(real) < 9.2e18 ? (long)real : null;

    private static bool TryFloat(string text, out double value)
    {
        text = Digits(text);
        var named = text.TrimStart('+', '-').ToUpperInvariant();
        if (named is "INF" or "INFINITY" or "NAN")
        {
            value = named == "NAN" ? double.NaN : text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            return text.Length - named.Length <= 1;
        }

        return double.TryParse(text, Real, CultureInfo.InvariantCulture, out value);
    }

    /// <summary>Without the spaces around a number and the underscores between its digits.</summary>
    private static string Digits(string text)
    {
        text = PyText.TrimStart(PyText.TrimEnd(text));
        for (var i = text.IndexOf('_'); i > 0 && i + 1 < text.Length && char.IsAsciiDigit(text[i - 1]) && char.IsAsciiDigit(text[i + 1]); i = text.IndexOf('_'))
        {
            text = text.Remove(i, 1);
        }

        return text;
    }
}
