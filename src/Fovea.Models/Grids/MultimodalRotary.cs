using Fovea.Data.Images;
using Fovea.Models.Configs;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Grids;

/// <summary>M-RoPE (arXiv 2409.12191): every token has a place in time, height and width, and each rotary frequency follows one of the three.</summary>
internal static class MultimodalRotary
{
    /// <summary>cos and sin [T, D].</summary>
    /// <param name="positions">[3][T]</param>
    /// <param name="axis">Which of the three each of the D / 2 frequencies follows.</param>
    public static Rotary For(int[][] positions, RopeSettings rope, int[] axis, Device device)
    {
        var (tokens, size, half) = (positions[0].Length, 2 * axis.Length, axis.Length);
        var frequencies = rope.Frequencies(size);
        var angles = new float[tokens * size];
        for (var token = 0; token < tokens; token++)
        {
            var line = angles.AsSpan(token * size, size);
            for (var i = 0; i < half; i++)
            {
                line[i] = line[i + half] = positions[axis[i]][token] * frequencies[i];
            }
        }

        var table = CreateOps.On(device, angles, tokens, size);
        return rope.Scale == 1
            ? new Rotary(table.Cos(), table.Sin())
            : new Rotary(table.Cos().Mul(rope.Scale), table.Sin().Mul(rope.Scale));
    }

    /// <summary>Places of the tokens of one sample: text advances all three axes; an image keeps time still and spans rows and columns.</summary>
    /// <param name="ids">The sample's ids, each image expanded to its merged tokens.</param>
    /// <param name="grids">Its images in order.</param>
    /// <param name="imageToken">The id of the images' tokens.</param>
    /// <param name="merge">Patches a side that become one token.</param>
    /// <param name="into">[3][T] of the whole stream.</param>
    /// <param name="offset">Where the sample starts in the stream.</param>
    /// <returns>The place that a following token would have.</returns>
    public static int Place(ReadOnlySpan<long> ids, ReadOnlySpan<ImageGrid> grids, int imageToken, int merge, int[][] into, int offset)
    {
        var (next, image) = (0, 0);
        for (var i = 0; i < ids.Length;)
        {
            if (ids[i] != imageToken)
            {
                into[0][offset + i] = into[1][offset + i] = into[2][offset + i] = next++;
                i++;
                continue;
            }

            if (image == grids.Length)
            {
                throw new ConfigException($"a sample holds image tokens for more than its {grids.Length} images");
            }

            var (frames, rows, columns) = Merged(grids[image++], merge);
            for (var t = 0; t < frames; t++)
            {
                for (var row = 0; row < rows; row++)
                {
                    for (var column = 0; column < columns; column++, i++)
                    {
                        if (i >= ids.Length || ids[i] != imageToken)
                        {
                            throw new ConfigException(
                                $"image {image} of a sample needs {frames * rows * columns} image tokens and has fewer: was it truncated?");
                        }

                        into[0][offset + i] = next + t;
                        into[1][offset + i] = next + row;
                        into[2][offset + i] = next + column;
                    }
                }
            }

            next += Math.Max(frames, Math.Max(rows, columns));
        }

        return next;
    }

    /// <summary>The axis of each frequency where a section of neighbours follows each.</summary>
    public static int[] InSections(int[] section)
    {
        var axis = new int[section.Sum()];
        Array.Fill(axis, 1, section[0], section[1]);
        Array.Fill(axis, 2, section[0] + section[1], section[2]);
        return axis;
    }

    /// <summary>
    /// The axis of each frequency where time, height and width take turns from the fastest on, until the section of height or width is used up; the rest
    /// follows time.
    /// </summary>
    public static int[] InTurns(int[] section)
    {
        var axis = new int[section.Sum()];
        for (var i = 0; i < axis.Length; i++)
        {
            axis[i] = i < 3 * section[i % 3] ? i % 3 : 0;
        }

        return axis;
    }

    private static (int Frames, int Rows, int Columns) Merged(ImageGrid grid, int merge) => (grid.T, grid.H / merge, grid.W / merge);
}
