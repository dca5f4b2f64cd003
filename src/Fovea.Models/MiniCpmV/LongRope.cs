namespace Fovea.Models.MiniCpmV;

/// <summary>
/// LongRoPE (arXiv 2402.13753) as Transformers computes it: each rotary frequency is divided by a factor, another one for sequences longer than
/// <paramref name="OriginalPositions"/>.
/// </summary>
/// <param name="Short">Factors of short sequences [D / 2].</param>
/// <param name="Long">Factors of long ones.</param>
/// <param name="OriginalPositions">Most tokens of a short sequence.</param>
/// <param name="Scale">Factor on cosines and sines.</param>
public sealed record LongRope(double[] Short, double[] Long, int OriginalPositions, double Scale)
{
    /// <summary>null for the kinds of scaling that change nothing.</summary>
    internal static LongRope? Read(ConfigReader scaling, ConfigReader root)
    {
        var kind = scaling.Text("rope_type", scaling.Text("type", "default"));
        if (kind is "default")
        {
            return null;
        }

        if (kind is not ("longrope" or "su"))
        {
            throw scaling.Wrong("rope_type", "longrope or default");
        }

        var most = root.Int("max_position_embeddings", 32768);
        var original = scaling.Has("original_max_position_embeddings")
            ? scaling.Int("original_max_position_embeddings")
            : root.Int("original_max_position_embeddings", most);
        var factor = scaling.Has("factor") ? scaling.Double("factor") : (double)most / original;
        var scale = scaling.Has("attention_factor") ? scaling.Double("attention_factor")
            : factor <= 1 ? 1
            : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(original)));
        return new LongRope(scaling.Doubles("short_factor", []), scaling.Doubles("long_factor", []), original, scale);
    }

    /// <summary>1 / (factor * theta^(2i/D)), in fp32 as the reference computes it.</summary>
    internal float[] Frequencies(int dims, double theta, bool isLong)
    {
        var frequencies = new float[dims / 2];
        for (var i = 0; i < frequencies.Length; i++)
        {
            frequencies[i] = 1f / ((float)(isLong ? Long : Short)[i] * MathF.Pow((float)theta, 2f * i / dims));
        }

        return frequencies;
    }
}
