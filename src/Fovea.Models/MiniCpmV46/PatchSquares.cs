using Fovea.Data.Images;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniCpmV46;

/// <summary>Squares of two by two neighbours, row by row, in images whose patches lie row by row.</summary>
internal static class PatchSquares
{
    public const int Size = 4;

    /// <summary>Images of half the rows and columns.</summary>
    public static ImageGrid[] Halved(IReadOnlyList<ImageGrid> grids) => [.. grids.Select(grid => new ImageGrid(grid.T, grid.H / 2, grid.W / 2))];

    /// <summary>Four rows of <paramref name="x_PV"/> after the other, one square after the other.</summary>
    public static Tensor Gather(Tensor x_PV, IReadOnlyList<ImageGrid> grids)
    {
        var order = new long[grids.Sum(grid => grid.Patches)];
        var (at, start) = (0, 0L);
        foreach (var grid in grids)
        {
            for (var row = 0; row < grid.H; row += 2)
            {
                for (var column = 0; column < grid.W; column += 2)
                {
                    var corner = start + ((long)row * grid.W) + column;
                    (order[at], order[at + 1], order[at + 2], order[at + 3]) = (corner, corner + 1, corner + grid.W, corner + grid.W + 1);
                    at += Size;
                }
            }

            start += grid.Patches;
        }

        return x_PV.IndexSelect(0, CreateOps.On(x_PV.Device, order));
    }

    /// <summary>Each square by itself.</summary>
    /// <param name="patches">In all.</param>
    public static Segments Alone(int patches) => new([.. Enumerable.Range(0, (patches / Size) + 1).Select(square => square * Size)]);
}
