using System.Numerics;
using System.Text;

namespace Fovea.Data.Templates.Jinja;

/// <summary>Arithmetic as Python does it; whole numbers beyond 64 bits are refused.</summary>
internal static class PyMath
{
    public static object? Sign(string sign, object? value) => value switch
    {
        Undefined undefined => throw undefined.Problem(),
        double real => sign == "-" ? -real : real,
        _ => PyType.IsInteger(value, out var whole)
            ? (sign == "-" ? Whole(() => checked(-whole)) : whole)
            : throw new ValueException($"'{sign}' does not take a value of type '{PyType.Name(value)}'"),
    };

    public static object? Apply(Work work, string sign, object? left, object? right)
    {
        if (sign == "%" && left is string format)
        {
            return PyFormat.Percent(work, format, right);
        }

        if (left is Undefined || right is Undefined)
        {
            throw (left as Undefined ?? (Undefined)right!).Problem();
        }

        if (PyType.IsInteger(left, out var a) && PyType.IsInteger(right, out var b))
        {
            return Integers(sign, a, b);
        }

        if (PyType.IsNumber(left, out var x) && PyType.IsNumber(right, out var y))
        {
            return Floats(sign, x, y);
        }

        return (sign, left, right) switch
        {
            ("+", string one, string other) => work.Charge(one + other),
            ("+", PyList one, PyList other) when one.IsTuple == other.IsTuple => Joined(work, one, other),
            ("*", string text, _) when PyType.IsInteger(right, out var times) => Repeated(work, text, times),
            ("*", _, string text) when PyType.IsInteger(left, out var times) => Repeated(work, text, times),
            ("*", PyList list, _) when PyType.IsInteger(right, out var times) => Repeated(work, list, times),
            ("*", _, PyList list) when PyType.IsInteger(left, out var times) => Repeated(work, list, times),
            _ => throw new ValueException($"'{sign}' does not take values of the types '{PyType.Name(left)}' and '{PyType.Name(right)}'"),
        };
    }

    /// <summary>Rounded to so many decimal places, a half to the even side, by the number's exact value.</summary>
    public static double Round(double value, long places)
    {
        if (!double.IsFinite(value) || value == 0 || places > 323)
        {
            return value;
        }

        var bits = BitConverter.DoubleToInt64Bits(value);
        var power = (int)((bits >> 52) & 0x7FF);
        var digits = new BigInteger((bits & 0xF_FFFF_FFFF_FFFF) | (power > 0 ? 1L << 52 : 0));
        var exponent = Math.Max(power, 1) - 1075;
        var above = digits * BigInteger.Pow(2, Math.Max(exponent, 0)) * BigInteger.Pow(10, (int)Math.Max(places, 0));
        var below = BigInteger.Pow(2, Math.Max(-exponent, 0)) * BigInteger.Pow(10, (int)Math.Min(Math.Max(-places, 0), 400));
        var whole = BigInteger.DivRem(above, below, out var rest);
        var half = (rest * 2).CompareTo(below);
        whole += half > 0 || (half == 0 && !whole.IsEven) ? 1 : 0;
        var text = $"{whole}e{(places < -400 ? 400 : -places)}";
        return Math.CopySign(double.Parse(text, System.Globalization.CultureInfo.InvariantCulture), value);
    }

    private static object Integers(string sign, long a, long b) => sign switch
    {
        "+" => Whole(() => checked(a + b)),
        "-" => Whole(() => checked(a - b)),
        "*" => Whole(() => checked(a * b)),
        "**" when b < 0 => Floats(sign, a, b),
        "**" => Power(a, b),
        _ when b == 0 => throw new ValueException("division by zero"),
        "/" => (double)a / b,
        "//" => Whole(() => checked(a / b) - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0)),
        _ => b == -1 ? 0 : a % b != 0 && (a < 0) != (b < 0) ? (a % b) + b : a % b,
    };

    private static double Floats(string sign, double a, double b) => sign switch
    {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "**" => Power(a, b),
        _ when b == 0 => throw new ValueException("division by zero"),
        "/" => a / b,
        "//" => Math.Floor((a - Modulo(a, b)) / b),
        _ => Modulo(a, b),
    };

    private static double Modulo(double a, double b)
    {
        var rest = a % b;
        return rest != 0 ? ((rest < 0) != (b < 0) ? rest + b : rest) : Math.CopySign(0, b);
    }

    private static object Power(long a, long b)
    {
        if (b > 63 && a is not (0 or 1 or -1))
        {
            throw TooLarge();
        }

        var power = BigInteger.Pow(a, (int)(a is 0 or 1 or -1 && b > 1 ? 2 + (b % 2) : b));
        return power >= long.MinValue && power <= long.MaxValue ? (long)power : throw TooLarge();
    }

    private static double Power(double a, double b)
    {
        if (a == 0 && b < 0)
        {
            throw new ValueException("zero has no negative power");
        }

        var power = Math.Pow(a, b);
        return double.IsFinite(power) || !double.IsFinite(a) || !double.IsFinite(b) ? power : throw new ValueException("the power is no finite number");
    }

    private static object Whole(Func<long> compute)
    {
        try
        {
            return compute();
        }
        catch (OverflowException)
        {
            throw TooLarge();
        }
    }

    private static ValueException TooLarge() => new("whole numbers of more than 64 bits are not supported");

    private static PyList Joined(Work work, PyList one, PyList other)
    {
        work.ChargeItems((long)one.Items.Count + other.Items.Count);
        return new PyList([.. one.Items, .. other.Items], one.IsTuple);
    }

    private static string Repeated(Work work, string text, long times)
    {
        times = Math.Max(times, 0);
        if (text.Length > 0 && times > work.Limits.Characters / text.Length)
        {
            throw new ValueException($"the template makes a text of more than {work.Limits.Characters:N0} characters");
        }

        return text.Length == 0 ? text : work.Charge(new StringBuilder().Insert(0, text, (int)times).ToString());
    }

    private static PyList Repeated(Work work, PyList list, long times)
    {
        times = list.Items.Count == 0 ? 0 : Math.Max(times, 0);
        work.ChargeItems(times > work.Limits.Items ? times : times * list.Items.Count);
        return new PyList([.. Enumerable.Repeat(list.Items, (int)times).SelectMany(items => items)], list.IsTuple);
    }
}
