namespace Fovea.Tests.Unit.Training;

/// <summary>AdamW with moments of 8 bits as its definition reads, number by number: widen, update in fp32, look for the nearest of 256 values.</summary>
internal sealed class EightBitReference
{
    private const int Block = 256;

    private static readonly Operator MapOp = new("fovea::eight_bit_map");

    private readonly float[] signed = Map(signs: true);
    private readonly float[] unsigned = Map(signs: false);

    public EightBitReference(float[] weights)
    {
        Weights = [.. weights];
        (Means, Squares) = (new byte[weights.Length], new byte[weights.Length]);
        (MeanScales, SquareScales) = (new float[(weights.Length + Block - 1) / Block], new float[(weights.Length + Block - 1) / Block]);
    }

    public float[] Weights { get; }

    public byte[] Means { get; }

    public byte[] Squares { get; }

    public float[] MeanScales { get; }

    public float[] SquareScales { get; }

    /// <param name="round">To the element type of the weights.</param>
    public void Step(float[] gradients, int step, double rate, double beta1, double beta2, double decay, double epsilon, Func<float, float> round)
    {
        var (size, root) = ((float)(-rate / (1 - Math.Pow(beta1, step))), (float)Math.Sqrt(1 - Math.Pow(beta2, step)));
        var (means, squares) = (new float[Weights.Length], new float[Weights.Length]);
        for (var i = 0; i < Weights.Length; i++)
        {
            var g = gradients[i];
            means[i] = (signed[Means[i]] * MeanScales[i / Block] * (float)beta1) + ((float)(1 - beta1) * g);
            squares[i] = (unsigned[Squares[i]] * SquareScales[i / Block] * (float)beta2) + ((float)(1 - beta2) * g * g);
            var update = size * means[i] / ((MathF.Sqrt(squares[i]) / root) + (float)epsilon);
            Weights[i] = round((Weights[i] * (float)(1 - (rate * decay))) + update);
        }

        Narrow(means, signed, Means, MeanScales);
        Narrow(squares, unsigned, Squares, SquareScales);
    }

    private static void Narrow(float[] numbers, float[] map, byte[] bytes, float[] scales)
    {
        for (var block = 0; block < scales.Length; block++)
        {
            var end = Math.Min(numbers.Length, (block + 1) * Block);
            var top = 0f;
            for (var i = block * Block; i < end; i++)
            {
                top = Math.Max(top, Math.Abs(numbers[i]));
            }

            scales[block] = top;
            for (var i = block * Block; i < end; i++)
            {
                bytes[i] = top > 0 ? Nearest(numbers[i] / top, map) : (byte)0;
            }
        }
    }

    private static byte Nearest(float number, float[] map)
    {
        var best = 0;
        for (var code = 1; code < map.Length; code++)
        {
            best = Math.Abs((double)number - map[code]) < Math.Abs((double)number - map[best]) ? code : best;
        }

        return (byte)best;
    }

    /// <summary>bitsandbytes' dynamic map: in each power of ten the middles of equal parts of [0.1, 1], twice as many as in the one below; 0 and 1.</summary>
    private static float[] Map(bool signs)
    {
        List<double> values = [0, 1];
        for (var exponent = -6; exponent <= 0; exponent++)
        {
            var parts = 1 << (exponent + (signs ? 6 : 7));
            for (var part = 0; part < parts; part++)
            {
                var middle = Math.Pow(10, exponent) * (0.1 + (0.9 * (part + 0.5) / parts));
                values.AddRange(signs ? [middle, -middle] : [middle]);
            }
        }

        // The kernel's own, whose last bit is that of PyTorch's linspace in fp32.
        using var scope = TensorScope.Open("test");
        var map = MapOp.Call(signs).ToArray<float>();
        values.Sort();
        Assert.Equal(256, values.Count);
        Assert.All(values.Zip(map), pair => Assert.Equal(pair.First, pair.Second, 2e-7 * Math.Abs(pair.First)));
        return map;
    }
}
