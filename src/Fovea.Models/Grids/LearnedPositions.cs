using Fovea.Data.Images;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Grids;

/// <summary>A square table of positions stretched over images of any size: each patch takes a mean of the four places around it.</summary>
internal sealed class LearnedPositions(Weights w, LearnedTowerConfig config)
{
    private readonly Parameter table = w.Take("weight", (long)config.Side * config.Side, config.HiddenSize);

    /// <param name="places">Of all patches.</param>
    /// <param name="grids">Of the images that they belong to.</param>
    /// <returns>[P, V]</returns>
    public Tensor Forward(PatchPlaces places, IReadOnlyList<ImageGrid> grids)
    {
        var (corners, shares) = Corners(places, grids);
        var rows = table.Use();
        return Enumerable.Range(0, corners.Length).Select(Corner).Aggregate((sum, corner) => sum.Add(corner));

        Tensor Corner(int i)
        {
            var share = CreateOps.On(rows.Device, shares[i], shares[i].Length, 1).To(rows.DType);
            return rows.Embedding(CreateOps.On(rows.Device, corners[i])).Mul(share);
        }
    }

    /// <summary>Four places of the table and the share of each, per patch: up left, up right, down left, down right.</summary>
    private (long[][] Corners, float[][] Shares) Corners(PatchPlaces places, IReadOnlyList<ImageGrid> grids)
    {
        var total = places.Heights.Length;
        var corners = Array.ConvertAll(new int[4], _ => new long[total]);
        var shares = Array.ConvertAll(new int[4], _ => new float[total]);
        var at = 0;
        foreach (var grid in grids)
        {
            var (rows, columns) = (Spread(grid.H), Spread(grid.W));
            for (var end = at + grid.Patches; at < end; at++)
            {
                var ((top, bottom, dy), (left, right, dx)) = (rows[places.Heights[at]], columns[places.Widths[at]]);
                Put(0, top, left, (1 - dy) * (1 - dx));
                Put(1, top, right, (1 - dy) * dx);
                Put(2, bottom, left, dy * (1 - dx));
                Put(3, bottom, right, dy * dx);
            }
        }

        return (corners, shares);

        void Put(int corner, int row, int column, float share)
        {
            corners[corner][at] = ((long)row * config.Side) + column;
            shares[corner][at] = share;
        }
    }

    /// <summary>For each of so many patches the table's lines before and behind it, and how far it is from the former.</summary>
    private (int Before, int Behind, float Distance)[] Spread(int patches)
    {
        var lines = new (int, int, float)[patches];
        var (last, step) = ((float)(config.Side - 1), patches == 1 ? 0 : (config.Side - 1) / (float)(patches - 1));
        for (var i = 0; i < patches; i++)
        {
            // From the near end, as PyTorch spaces them.
            var line = i < patches / 2 || patches == 1 ? step * i : last - (step * (patches - i - 1));
            var before = (int)line;
            lines[i] = (before, Math.Min(before + 1, config.Side - 1), line - before);
        }

        return lines;
    }
}
