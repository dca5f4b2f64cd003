using Fovea.Data.Images;
using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen25Vl;

/// <summary>
/// Where the patches of a batch of images lie: the order in which windows are contiguous, who attends to whom, and rows and columns.
/// Merged tokens are groups of MergeSize^2 consecutive patches in the processor's order.
/// </summary>
/// <param name="WindowIndex">For each merged token in window order, its place in raster order [P / merge^2].</param>
/// <param name="RasterIndex">The inverse permutation.</param>
/// <param name="Windows">Segments of windowed attention, in patches.</param>
/// <param name="Images">Segments of full attention: one an image and frame.</param>
/// <param name="Places">Of each patch, in window order.</param>
internal sealed record VisionLayout(long[] WindowIndex, long[] RasterIndex, Segments Windows, Segments Images, PatchPlaces Places)
{
    public static VisionLayout For(IReadOnlyList<ImageGrid> grids, Qwen25VlVisionConfig config)
    {
        var unit = config.MergeSize * config.MergeSize;
        var window = config.WindowSize / config.MergeSize / config.PatchSize;
        var order = new List<long>();
        List<int> windows = [0];
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
            }

            offset += (long)grid.T * rows * columns;
        }

        var windowIndex = order.ToArray();
        var rasterIndex = new long[windowIndex.Length];
        for (var i = 0; i < windowIndex.Length; i++)
        {
            rasterIndex[windowIndex[i]] = i;
        }

        var places = PatchPlaces.Of(grids, config.MergeSize).Ordered(windowIndex, unit);
        return new VisionLayout(windowIndex, rasterIndex, new Segments(windows.ToArray()), PatchPlaces.Frames(grids), places);
    }
}
