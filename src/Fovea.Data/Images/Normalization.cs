namespace Fovea.Data.Images;

/// <summary>Rescaling to 0..1 and normalising in one step, as Transformers' fast processors fuse them.</summary>
internal static class Normalization
{
    /// <summary>[channels, 256]: the float32 value (x - 255 mean) / (255 deviation) of every byte x.</summary>
    public static float[] Table(IReadOnlyList<double> mean, IReadOnlyList<double> deviation)
    {
        var table = new float[mean.Count * 256];
        for (var channel = 0; channel < mean.Count; channel++)
        {
            var shift = (float)mean[channel] * 255f;
            var scale = (float)deviation[channel] * 255f;
            for (var x = 0; x < 256; x++)
            {
                table[(channel * 256) + x] = (x - shift) / scale;
            }
        }

        return table;
    }
}
