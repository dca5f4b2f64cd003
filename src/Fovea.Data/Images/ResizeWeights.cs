namespace Fovea.Data.Images;

/// <summary>
/// Fixed-point weights of one axis: target pixel i is the sum over k of source[Starts[i] + k] * Weights[i * Taps + k], rounded, shifted right by Precision.
/// Pillow (Resample.c): 22 bits always. libtorch (UpSampleKernel.cpp): as many bits as let the largest weight fit in 16.
/// </summary>
internal sealed record ResizeWeights(int[] Starts, int[] Counts, int[] Weights, int Taps, int Precision)
{
    private const int PillowPrecision = 32 - 8 - 2;
    private const double CubicA = -0.5;

    public static ResizeWeights Make(int from, int to, ResizeFilter filter)
    {
        var radius = filter switch
        {
            ResizeFilter.PillowBilinear => 1.0,
            ResizeFilter.PillowLanczos => 3.0,
            _ => 2.0,
        };
        var scale = (double)from / to;
        var stretch = Math.Max(scale, 1.0);
        var support = radius * stretch;
        var taps = ((int)Math.Ceiling(support) * 2) + 1;
        var starts = new int[to];
        var counts = new int[to];
        var weights = new double[to * taps];
        var inverse = 1.0 / stretch;
        for (var i = 0; i < to; i++)
        {
            var center = scale * (i + 0.5);
            var start = Math.Max((int)(center - support + 0.5), 0);
            var count = Math.Clamp(Math.Min((int)(center + support + 0.5), from) - start, 0, taps);
            var row = weights.AsSpan(i * taps, count);
            var total = 0.0;
            for (var k = 0; k < count; k++)
            {
                row[k] = Value(filter, (k + start - center + 0.5) * inverse);
                total += row[k];
            }

            for (var k = 0; k < count && total != 0; k++)
            {
                row[k] /= total;
            }

            (starts[i], counts[i]) = (start, count);
        }

        var precision = filter == ResizeFilter.TorchBicubic ? TorchPrecision(weights) : PillowPrecision;
        var integers = new int[weights.Length];
        for (var i = 0; i < weights.Length; i++)
        {
            var scaled = weights[i] * (1 << precision);
            integers[i] = (int)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
        }

        return new ResizeWeights(starts, counts, integers, taps, precision);
    }

    private static int TorchPrecision(double[] weights)
    {
        var largest = 0.0;
        foreach (var weight in weights)
        {
            largest = Math.Max(largest, weight);
        }

        var precision = 0;
        while (precision < 22 && (int)(0.5 + (largest * (1 << (precision + 1)))) < 1 << 15)
        {
            precision++;
        }

        return precision;
    }

    /// <summary>The filters in the order of operations that their programs use, so that ties round alike.</summary>
    private static double Value(ResizeFilter filter, double x)
    {
        var distance = Math.Abs(x);
        return filter switch
        {
            ResizeFilter.PillowBilinear => distance < 1 ? 1 - distance : 0,
            ResizeFilter.PillowLanczos => x is >= -3 and < 3 ? Sinc(x) * Sinc(x / 3) : 0,
            _ when distance < 1 => (((((CubicA + 2) * distance) - (CubicA + 3)) * distance) * distance) + 1,
            _ when distance >= 2 => 0,
            ResizeFilter.TorchBicubic => (((((CubicA * distance) - (5 * CubicA)) * distance) + (8 * CubicA)) * distance) - (4 * CubicA),
            _ => (((((distance - 5) * distance) + 8) * distance) - 4) * CubicA,
        };
    }

    private static double Sinc(double x) => x == 0 ? 1 : Math.Sin(x * Math.PI) / (x * Math.PI);
}
