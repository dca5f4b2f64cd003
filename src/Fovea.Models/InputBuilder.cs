using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models;

/// <summary>
/// Puts packed batches, prompts and generated tokens into tensors on a model's device. A family gives the positions of its tokens, and groups of them where its
/// losses need some; the rest is the same for all.
/// </summary>
internal static class InputBuilder
{
    /// <summary>A micro-batch: samples end to end, each with positions of its own.</summary>
    /// <remarks>
    /// Of ranks that split its tokens each makes the features of all images: where the vision side learns, those that a rank does not use have a gradient of
    /// zeros, so that the sum over ranks is that of one.
    /// </remarks>
    /// <param name="exchange">Between ranks that split its tokens; null where this one has them all.</param>
    public static ModelInput OfBatch(VisionLanguageModel model, PackedBatch batch, ISequenceExchange? exchange = null)
    {
        var positions = Axes(model, batch.Tokens);
        var images = new int[batch.Samples];
        for (var sample = 0; sample < batch.Samples; sample++)
        {
            var (start, end) = (batch.CuSeqlens[sample], batch.CuSeqlens[sample + 1]);
            var of = batch.Grids.AsSpan(batch.ImageStarts[sample]..batch.ImageStarts[sample + 1]);
            model.Place(batch.Ids.AsSpan(start, end - start), of, positions, start);
            images[sample] = of.Length;
        }

        var share = new TokenShare(batch.Tokens, exchange?.Size ?? 1, exchange?.Rank ?? 0);
        var slots = Array.ConvertAll(batch.ImageSlots, slot => (long)slot);
        var (first, count) = share.Range(slots);
        var rows = FeatureRows(model, batch) ?? (exchange is null ? null : [.. Enumerable.Range(0, slots.Length).Select(row => (long)row)]);
        var segments = new Segments(share.Boundaries(batch.CuSeqlens)).On(model.Device);
        return new ModelInput
        {
            Ids = CreateOps.On(model.Device, share.Of<long>(batch.Ids, 0)),
            Positions = Array.ConvertAll(positions, axis => share.Of<int>(axis, 0)),
            Attention = exchange is null ? new PackedAttention(segments) : new SplitSequences(segments, exchange),
            Pixels = batch.Patches == 0
                ? null
                : CreateOps.On<float>(model.Device, batch.Pixels.AsSpan(0, batch.Patches * batch.PatchLength), batch.Patches, batch.PatchLength),
            Grids = batch.Grids,
            ImagesOfSamples = images,

            // Also where none of them is on this rank: every rank has a backward pass where one has.
            ImageSlots = slots.Length == 0 ? null : CreateOps.On(model.Device, Array.ConvertAll(slots[first..(first + count)], slot => slot - share.Start)),
            FeatureRows = slots.Length == 0 || rows is null ? null : CreateOps.On(model.Device, rows[first..(first + count)]),
            Groups = [.. model.GroupsOf(batch).Select(group => group.Within(share.Start, share.End))],
        };
    }

    /// <summary>As <see cref="VisionLanguageModel.PreparePrompt"/>.</summary>
    public static ModelInput OfPrompt(
        VisionLanguageModel model, ReadOnlySpan<long> ids, IReadOnlyList<PromptImage> images, int from, ISequencePlan attention, out int next)
    {
        var positions = Axes(model, ids.Length);
        next = model.Place(ids, images.Select(image => image.Image.Grid).ToArray(), positions, 0);
        var later = images.Where(image => image.Offset >= from).ToList();
        var patches = later.Sum(image => image.Image.Grid.Patches);
        var slots = later.SelectMany(image => Enumerable.Range(image.Offset - from, image.Tokens)).Select(slot => (long)slot).ToArray();
        return new ModelInput
        {
            Ids = CreateOps.On(model.Device, ids[from..]),
            Positions = Array.ConvertAll(positions, axis => axis[from..]),
            Attention = attention,
            Pixels = later.Count == 0 ? null : CreateOps.On<float>(model.Device, Pixels(later), patches, model.PatchLength),
            Grids = [.. later.Select(image => image.Image.Grid)],
            ImageSlots = later.Count == 0 ? null : CreateOps.On(model.Device, slots),
        };
    }

    /// <summary>As <see cref="VisionLanguageModel.PrepareImages"/>: what the vision side reads of an input, and nothing for the decoder.</summary>
    public static ModelInput OfImages(VisionLanguageModel model, IReadOnlyList<ImageGrid> grids, ReadOnlySpan<float> pixels, IReadOnlyList<int> counts) => new()
    {
        Ids = CreateOps.On<long>(model.Device, []),
        Positions = Axes(model, 0),
        Attention = new PackedAttention(new Segments([0, 0])),
        Pixels = CreateOps.On(model.Device, pixels, grids.Sum(grid => grid.Patches), model.PatchLength),
        Grids = grids,
        ImagesOfSamples = counts,
    };

    /// <summary>One generated token.</summary>
    public static ModelInput OfToken(VisionLanguageModel model, long id, int place, ISequencePlan attention) => new()
    {
        Ids = CreateOps.On(model.Device, [id]),
        Positions = model.PositionsAt(place),
        Attention = attention,
    };

    private static int[][] Axes(VisionLanguageModel model, int tokens) => Array.ConvertAll(model.PositionsAt(0), _ => new int[tokens]);

    private static float[] Pixels(List<PromptImage> images)
    {
        var pixels = new float[images.Sum(image => image.Image.Patches.Length)];
        var at = 0;
        foreach (var image in images)
        {
            image.Image.Patches.CopyTo(pixels, at);
            at += image.Image.Patches.Length;
        }

        return pixels;
    }

    /// <summary>An image that lost tokens to the cutoff makes all its features; the first of them stand in the stream. Null where none did.</summary>
    private static long[]? FeatureRows(VisionLanguageModel model, PackedBatch batch)
    {
        var made = Array.ConvertAll(batch.Grids, model.FeatureRows);
        if (batch.ImageTokens.AsSpan().SequenceEqual(made))
        {
            return null;
        }

        var rows = new long[batch.ImageSlots.Length];
        var (slot, first) = (0, 0L);
        for (var image = 0; image < made.Length; image++)
        {
            for (var token = 0; token < batch.ImageTokens[image]; token++)
            {
                rows[slot++] = first + token;
            }

            first += made[image];
        }

        return rows;
    }
}
