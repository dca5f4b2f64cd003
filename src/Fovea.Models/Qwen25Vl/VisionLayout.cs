using Fovea.Data.Images;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Qwen25Vl;

/// <summary>
/// Where the patches of a batch of images lie: the order in which windows are contiguous, who attends to whom, and the rotary angles.
/// Merged tokens are groups of MergeSize^2 consecutive patches in the processor's order.
/// </summary>
/// <param name="WindowIndex">For each merged token in window order, its place in raster order [P / merge^2].</param>
/// <param name="RasterIndex">The inverse permutation.</param>
/// <param name="Windows">Segments of windowed attention, in patches.</param>
/// <param name="Images">Segments of full attention: one an image and frame.</param>
/// <param name="Heights">Row of each patch, in window order [P].</param>
/// <param name="Widths">Column of each patch, in window order [P].</param>
internal sealed record VisionLayout(long[] WindowIndex, long[] RasterIndex, Segments Windows, Segments Images, int[] Heights, int[] Widths)
{
    public static VisionLayout For(IReadOnlyList<ImageGrid> grids, Qwen25VlVisionConfig config)
    {
        var unit = config.MergeSize * config.MergeSize;
        var window = config.WindowSize / config.MergeSize / config.PatchSize;
        var order = new List<long>();
        List<int> windows = [0];
        List<int> images = [0];
        var offset = 0L;
        foreach (var grid in grids)
        {
            var (rows, columns) = (grid.H / config.MergeSize, grid.W / config.MergeSize);
            for (var t = 0; t < grid.T; t++)
            {
                for (var top = 0; top < rows; top += window)
                {
                    for (var left = 0; left < columns; left += window)
                    {
                        for (var row = top; row < Math.Min(top + window, rows); row++)
                        {
                            for (var column = left; column < Math.Min(left + window, columns); column++)
                            {
                                order.Add(offset + (((long)t * rows) + row) * columns + column);
                            }
                        }

                        windows.Add(order.Count * unit);
                    }
                }

                images.Add(images[^1] + (grid.H * grid.W));
            }

            offset += (long)grid.T * rows * columns;
        }

        var windowIndex = order.ToArray();
        var rasterIndex = new long[windowIndex.Length];
        for (var i = 0; i < windowIndex.Length; i++)
        {
            rasterIndex[windowIndex[i]] = i;
        }

        var (heights, widths) = Coordinates(grids, config.MergeSize, windowIndex);
        return new VisionLayout(windowIndex, rasterIndex, new Segments(windows.ToArray()), new Segments(images.ToArray()), heights, widths);
    }

    /// <summary>cos and sin of the 2-D rotary embedding, [P, D] in fp32: a quarter of the pairs follows rows, a quarter columns, repeated.</summary>
    public Rotary Rotary(int headSize, Device device)
    {
        var frequencies = Nn.Rotary.InverseFrequencies(headSize / 2, 10000);
        var angles = new float[Heights.Length * headSize];
        for (var patch = 0; patch < Heights.Length; patch++)
        {
            var line = angles.AsSpan(patch * headSize, headSize);
            for (var i = 0; i < frequencies.Length; i++)
            {
                var (row, column) = (Heights[patch] * frequencies[i], Widths[patch] * frequencies[i]);
                line[i] = line[i + (headSize / 2)] = row;
                line[i + frequencies.Length] = line[i + frequencies.Length + (headSize / 2)] = column;
            }
        }

        var table = CreateOps.On(device, angles, Heights.Length, headSize);
        return new Rotary(table.Cos(), table.Sin());
    }

    private static (int[] Heights, int[] Widths) Coordinates(IReadOnlyList<ImageGrid> grids, int merge, long[] windowIndex)
    {
        // Row and column of the first patch of each merged token in raster order.
        var tops = new List<(int Row, int Column)>();
        foreach (var grid in grids)
        {
            for (var t = 0; t < grid.T; t++)
            {
                for (var row = 0; row < grid.H; row += merge)
                {
                    for (var column = 0; column < grid.W; column += merge)
                    {
                        tops.Add((row, column));
                    }
                }
            }
        }

        var heights = new int[tops.Count * merge * merge];
        var widths = new int[heights.Length];
        var at = 0;
        foreach (var index in windowIndex)
        {
            var (row, column) = tops[(int)index];
            for (var dy = 0; dy < merge; dy++)
            {
                for (var dx = 0; dx < merge; dx++)
                {
                    heights[at] = row + dy;
                    widths[at++] = column + dx;
                }
            }
        }

        return (heights, widths);
    }
}
