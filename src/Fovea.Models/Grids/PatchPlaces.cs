using Fovea.Data.Images;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Grids;

/// <summary>
/// Row and column of each patch of a batch of images. Patches come as the processor lays them: those that become one token of the language model are
/// neighbours, row by row inside of it.
/// </summary>
/// <param name="Heights">Row of each patch [P].</param>
/// <param name="Widths">Column of each patch [P].</param>
internal sealed record PatchPlaces(int[] Heights, int[] Widths)
{
    /// <param name="merge">Patches a side that become one token.</param>
    public static PatchPlaces Of(IReadOnlyList<ImageGrid> grids, int merge)
    {
        var total = grids.Sum(grid => grid.Patches);
        var (heights, widths, at) = (new int[total], new int[total], 0);
        foreach (var grid in grids)
        {
            for (var t = 0; t < grid.T; t++)
            {
                for (var token = 0; token < grid.H / merge * (grid.W / merge); token++)
                {
                    var (top, left) = (token / (grid.W / merge) * merge, token % (grid.W / merge) * merge);
                    for (var i = 0; i < merge * merge; i++)
                    {
                        heights[at] = top + (i / merge);
                        widths[at++] = left + (i % merge);
                    }
                }
            }
        }

        return new PatchPlaces(heights, widths);
    }

    /// <summary>Boundaries of attention to the whole image: one segment an image and frame.</summary>
    public static Segments Frames(IReadOnlyList<ImageGrid> grids)
    {
        List<int> boundaries = [0];
        foreach (var grid in grids)
        {
            for (var t = 0; t < grid.T; t++)
            {
                boundaries.Add(boundaries[^1] + (grid.H * grid.W));
            }
        }

        return new Segments([.. boundaries]);
    }

    /// <summary>The same in another order of the tokens.</summary>
    /// <param name="tokens">For each token of that order, its place in this one.</param>
    /// <param name="unit">Patches of a token.</param>
    public PatchPlaces Ordered(long[] tokens, int unit)
    {
        return new PatchPlaces(Order(Heights), Order(Widths));

        int[] Order(int[] places)
        {
            var ordered = new int[places.Length];
            for (var i = 0; i < tokens.Length; i++)
            {
                Array.Copy(places, tokens[i] * unit, ordered, (long)i * unit, unit);
            }

            return ordered;
        }
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
}
