using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Fovea.Data.Images;

/// <summary>Antialiased resizing of 8-bit RGB: rows first, then columns, rounded to 8 bits in between, bit for bit as Pillow or libtorch do it.</summary>
internal static class Resizer
{
    /// <summary>The picture at the new size in pixels; the same object where nothing changes.</summary>
    public static RgbImage Resize(RgbImage image, int width, int height, ResizeFilter filter)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        if ((width, height) == (image.Width, image.Height))
        {
            return image;
        }

        var pixels = image.Pixels;
        if (filter == ResizeFilter.PillowNearest)
        {
            pixels = Nearest(image, width, height);
        }
        else
        {
            if (width != image.Width)
            {
                pixels = Rows(pixels, image.Width, image.Height, width, ResizeWeights.Make(image.Width, width, filter));
            }

            if (height != image.Height)
            {
                pixels = Columns(pixels, width * 3, height, ResizeWeights.Make(image.Height, height, filter));
            }
        }

        return image with { Width = width, Height = height, Pixels = pixels, Alpha = null };
    }

    private static byte[] Rows(byte[] source, int width, int height, int newWidth, ResizeWeights plan)
    {
        var stride = width * 3;
        var target = GC.AllocateUninitializedArray<byte>(checked(newWidth * 3 * height));

        // Each pixel is loaded as four bytes, so the last one of a row needs a byte after it.
        var line = new byte[stride + 1];
        var half = Vector128.Create(1 << (plan.Precision - 1));
        var to = 0;
        for (var y = 0; y < height; y++)
        {
            source.AsSpan(y * stride, stride).CopyTo(line);
            ref var first = ref MemoryMarshal.GetArrayDataReference(line);
            for (var x = 0; x < newWidth; x++)
            {
                ref var pixel = ref Unsafe.Add(ref first, plan.Starts[x] * 3);
                var sum = half;
                foreach (var weight in plan.Weights.AsSpan(x * plan.Taps, plan.Counts[x]))
                {
                    sum += Widen(ref pixel) * Vector128.Create(weight);
                    pixel = ref Unsafe.Add(ref pixel, 3);
                }

                sum = Vector128.Min(Vector128.Max(sum >> plan.Precision, Vector128<int>.Zero), Vector128.Create(255));
                target[to] = (byte)sum.GetElement(0);
                target[to + 1] = (byte)sum.GetElement(1);
                target[to + 2] = (byte)sum.GetElement(2);
                to += 3;
            }
        }

        return target;
    }

    private static Vector128<int> Widen(ref byte pixel)
    {
        var bytes = Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<uint>(ref pixel)).AsByte();
        return Vector128.WidenLower(Vector128.WidenLower(bytes)).AsInt32();
    }

    private static byte[] Columns(byte[] source, int stride, int newHeight, ResizeWeights plan)
    {
        var target = GC.AllocateUninitializedArray<byte>(checked(stride * newHeight));
        var lanes = Vector<byte>.Count;
        for (var y = 0; y < newHeight; y++)
        {
            var weights = plan.Weights.AsSpan(y * plan.Taps, plan.Counts[y]);
            var from = plan.Starts[y] * stride;
            var line = target.AsSpan(y * stride, stride);
            var x = 0;
            for (; x <= stride - lanes; x += lanes)
            {
                ColumnBlock(source, from + x, stride, weights, plan.Precision).CopyTo(line[x..]);
            }

            for (; x < stride; x++)
            {
                var sum = 1 << (plan.Precision - 1);
                for (var k = 0; k < weights.Length; k++)
                {
                    sum += source[from + (k * stride) + x] * weights[k];
                }

                line[x] = (byte)Math.Clamp(sum >> plan.Precision, 0, 255);
            }
        }

        return target;
    }

    /// <summary>As many neighbouring bytes as a vector holds.</summary>
    private static Vector<byte> ColumnBlock(byte[] source, int from, int stride, ReadOnlySpan<int> weights, int precision)
    {
        var half = new Vector<int>(1 << (precision - 1));
        var (sum0, sum1, sum2, sum3) = (half, half, half, half);
        foreach (var weight in weights)
        {
            Vector.Widen(new Vector<byte>(source, from), out var low, out var high);
            Vector.Widen(low, out var part0, out var part1);
            Vector.Widen(high, out var part2, out var part3);
            var factor = new Vector<int>(weight);
            sum0 += Vector.AsVectorInt32(part0) * factor;
            sum1 += Vector.AsVectorInt32(part1) * factor;
            sum2 += Vector.AsVectorInt32(part2) * factor;
            sum3 += Vector.AsVectorInt32(part3) * factor;
            from += stride;
        }

        return Vector.Narrow(
            Vector.Narrow(Clamp(sum0, precision), Clamp(sum1, precision)),
            Vector.Narrow(Clamp(sum2, precision), Clamp(sum3, precision)));
    }

    private static Vector<uint> Clamp(Vector<int> sum, int precision) =>
        Vector.AsVectorUInt32(Vector.Min(Vector.Max(sum >> precision, Vector<int>.Zero), new Vector<int>(255)));

    /// <summary>Pillow adds the step up pixel by pixel, so its rounding is repeated here.</summary>
    private static byte[] Nearest(RgbImage image, int width, int height)
    {
        var columns = NearestIndices(image.Width, width);
        var rows = NearestIndices(image.Height, height);
        var target = GC.AllocateUninitializedArray<byte>(checked(width * height * 3));
        var to = 0;
        foreach (var row in rows)
        {
            foreach (var column in columns)
            {
                image.Pixels.AsSpan(((row * image.Width) + column) * 3, 3).CopyTo(target.AsSpan(to));
                to += 3;
            }
        }

        return target;
    }

    private static int[] NearestIndices(int from, int to)
    {
        var step = (double)from / to;
        var indices = new int[to];
        var position = step * 0.5;
        for (var i = 0; i < to; i++, position += step)
        {
            indices[i] = Math.Min((int)position, from - 1);
        }

        return indices;
    }
}
