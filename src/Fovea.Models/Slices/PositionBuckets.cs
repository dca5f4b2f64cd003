namespace Fovea.Models.Slices;

/// <summary>
/// Where the patches of an image lie in a table of positions of another size. The arithmetic is the reference's in float32, rounding errors and all:
/// <c>bucketize(arange(0, 1 - 1e-6, 1 / n), arange(1 / side, 1, 1 / side), right=True)</c>.
/// </summary>
internal static class PositionBuckets
{
    // libtorch's arange rounds the first of each vector of eight before it adds the others' steps.
    private const int Lanes = 8;

    /// <summary>The bucket of each of <paramref name="count"/> equal parts, [count], each from 0 to side - 1.</summary>
    public static int[] Of(int count, int side)
    {
        // The step is a float32 tensor there, read as a double.
        var step = (double)(1f / count);
        var boundaries = new float[side - 1];
        for (var i = 0; i < boundaries.Length; i++)
        {
            boundaries[i] = (float)((1.0 / side) + (i * (1.0 / side)));
        }

        var buckets = new int[count];
        for (var i = 0; i < count; i++)
        {
            var at = Array.BinarySearch(boundaries, (float)((float)((i - (i % Lanes)) * step) + (i % Lanes * step)));
            buckets[i] = at < 0 ? ~at : at + 1;
        }

        return buckets;
    }
}
