using System.Globalization;

namespace Fovea.Evaluation;

/// <summary>Python's <c>round(x, digits)</c>: the decimal nearest to the binary value, and the even one where both are exactly as near.</summary>
internal static class PythonRound
{
    public static double To(double value, int digits)
    {
        if (!double.IsFinite(value))
        {
            return value;
        }

        // Only an odd multiple of 2^-(digits+1) lies exactly between two decimals.
        var scaled = Math.ScaleB(value, digits + 1);
        if (Math.Abs(scaled) < 1L << 40 && scaled == Math.Floor(scaled) && scaled % 2 != 0)
        {
            var (twice, power) = ((long)scaled, 1L);
            for (var i = 0; i < digits; i++)
            {
                (twice, power) = (twice * 5, power * 10);
            }

            var below = (twice - 1) >> 1;
            return (double)((below & 1) == 0 ? below : below + 1) / power;
        }

        // The runtime writes the exact value, rounded to nearest.
        return double.Parse(value.ToString($"F{digits}", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }
}
