namespace Fovea.Evaluation;

/// <summary>
/// NumPy's <c>mean</c> to the last bit: sums of up to 128 numbers run in eight strands, longer ones are halved (its pairwise summation).
/// </summary>
internal static class NumpyMean
{
    private const int Strands = 8;
    private const int Block = 128;

    /// <summary>The mean; that of nothing is 0.</summary>
    public static double Of(ReadOnlySpan<double> values) => values.IsEmpty ? 0 : Sum(values) / values.Length;

    private static double Sum(ReadOnlySpan<double> values)
    {
        if (values.Length > Block)
        {
            var half = values.Length / 2;
            half -= half % Strands;
            return Sum(values[..half]) + Sum(values[half..]);
        }

        var (sum, whole) = (0.0, values.Length - (values.Length % Strands));
        if (whole > 0)
        {
            Span<double> r = stackalloc double[Strands];
            for (var i = 0; i < whole; i++)
            {
                r[i % Strands] += values[i];
            }

            sum = r[0] + r[1] + (r[2] + r[3]) + (r[4] + r[5] + (r[6] + r[7]));
        }

        foreach (var value in values[whole..])
        {
            sum += value;
        }

        return sum;
    }
}
