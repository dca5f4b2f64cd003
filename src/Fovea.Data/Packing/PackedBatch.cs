using System.Buffers;
using Fovea.Data.Images;

namespace Fovea.Data.Packing;

/// <summary>
/// One micro-batch: S samples end to end as a stream of T tokens, without padding, with I images of P patches and L trained tokens. Everything is managed
/// memory. Disposing it returns the pixel buffer for reuse and gives up its tickets.
/// </summary>
internal sealed class PackedBatch : IDisposable
{
    /// <summary>Token ids [T].</summary>
    public required long[] Ids { get; init; }

    /// <summary>Where each sample starts in the stream, and last its length [S+1].</summary>
    public required int[] CuSeqlens { get; init; }

    /// <summary>Each sample's index in its dataset [S]: the same sample has the same index in every epoch.</summary>
    public required int[] SampleIndices { get; init; }

    /// <summary>Which batch (of <c>per_device_train_batch_size</c>) of the step each sample belongs to [S].</summary>
    public int[] SampleGroup { get; init; } = [];

    /// <summary>How many trained tokens that batch has in the whole step [S].</summary>
    public long[] GroupTokens { get; init; } = [];

    /// <summary>What each sample weighs where a loss is a mean over samples [S]: over the step and all ranks they add up to 1.</summary>
    public float[] SampleWeight { get; init; } = [];

    /// <summary>
    /// What each sample weighs in a loss that is a mean over the tokens of its batch and is added to that of every batch [S]: those of a batch add up to 1
    /// where token losses are summed over the step's batches, and to their part of the step where these are averaged.
    /// </summary>
    public float[] SampleShare { get; init; } = [];

    /// <summary>Each image's size in patches, in stream order [I].</summary>
    public required ImageGrid[] Grids { get; init; }

    /// <summary>The files of the images, or the names of those within rows, in stream order [I].</summary>
    public required string[] ImagePaths { get; init; }

    /// <summary>Where each sample's images begin among all, and last their number [S+1].</summary>
    public required int[] ImageStarts { get; init; }

    /// <summary>Tokens of each image in the stream [I]: fewer than the image makes where the cutoff fell among them. They add up to M.</summary>
    public required int[] ImageTokens { get; init; }

    /// <summary>Positions of the image tokens in the stream, ascending [M].</summary>
    public required int[] ImageSlots { get; init; }

    /// <summary>Positions whose next token is trained, ascending [L]: the logits at p predict the id at p + 1. Never the last token of a sample.</summary>
    public required long[] LossIndex { get; init; }

    /// <summary>The ids to predict [L].</summary>
    public required long[] Targets { get; init; }

    /// <summary>The factor on the loss of each of them [L]; empty where all are 1.</summary>
    public float[] LossWeights { get; init; } = [];

    /// <summary>What a feature store says of each image [I], or empty without one. They belong to the batch.</summary>
    public IReadOnlyList<FeatureTicket?> Tickets { get; set; } = [];

    /// <summary>
    /// Patches [P, <see cref="PatchLength"/>] of the images that need them, row after row; the array may be longer than that. Empty without such images.
    /// </summary>
    public float[] Pixels { get; private set; } = [];

    /// <summary>P.</summary>
    public int Patches { get; private set; }

    /// <summary>Values of one patch (1176 for Qwen2-VL).</summary>
    public int PatchLength { get; private set; }

    /// <summary>T.</summary>
    public int Tokens => Ids.Length;

    /// <summary>S.</summary>
    public int Samples => CuSeqlens.Length - 1;

    /// <summary>Whether an image's patches are among the pixels: its features were not at hand.</summary>
    public bool NeedsPixels(int image) => Tickets.Count == 0 || Tickets[image]?.HasFeatures != true;

    public void Dispose()
    {
        foreach (var ticket in Tickets)
        {
            ticket?.Dispose();
        }

        Tickets = [];
        if (Pixels.Length > 0)
        {
            ArrayPool<float>.Shared.Return(Pixels);
        }

        Pixels = [];
        Patches = 0;
    }

    /// <summary>Rents the pixel buffer; the caller fills all of it.</summary>
    public Span<float> AllocatePixels(int patches, int patchLength)
    {
        Patches = patches;
        PatchLength = patchLength;
        Pixels = patches == 0 ? [] : ArrayPool<float>.Shared.Rent(checked(patches * patchLength));
        return Pixels.AsSpan(0, patches * patchLength);
    }
}
