using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models;

/// <summary>What a family's vision side makes of images, one after the other: what stands in place of their tokens, and what is added to them later.</summary>
/// <param name="Embeddings">[M, E]; of a tower alone the rows and the width are its own.</param>
/// <param name="PerLayer">
/// What is added to the hidden states of the image tokens behind each of the decoder's first layers, [M, E] each; usually none. A tower makes them as they are
/// added, no projector comes in between.
/// </param>
internal sealed record VisualFeatures(Tensor Embeddings, IReadOnlyList<Tensor> PerLayer)
{
    public VisualFeatures(Tensor embeddings)
        : this(embeddings, [])
    {
    }

    /// <summary>Whether gradients reach what made them.</summary>
    public bool RequiresGrad => Embeddings.RequiresGrad || PerLayer.Any(layer => layer.RequiresGrad);

    /// <summary>Of all images, one after the other.</summary>
    public static VisualFeatures Join(IReadOnlyList<VisualFeatures> images)
    {
        if (images.Count == 1)
        {
            return images[0];
        }

        var layers = images[0].PerLayer.Count;
        return images.All(image => image.PerLayer.Count == layers)
            ? new VisualFeatures(
                ShapeOps.Cat([.. images.Select(image => image.Embeddings)]),
                layers == 0 ? [] : [.. Enumerable.Range(0, layers).Select(layer => ShapeOps.Cat([.. images.Select(image => image.PerLayer[layer])]))])
            : throw new InvalidOperationException("images of one batch have features for different numbers of layers");
    }

    /// <summary>The same with every tensor changed.</summary>
    public VisualFeatures Map(Func<Tensor, Tensor> change) =>
        new(change(Embeddings), PerLayer.Count == 0 ? [] : [.. PerLayer.Select(change)]);

    /// <summary>Those of some images: rows of the embeddings, and of the features of each layer.</summary>
    public VisualFeatures Slice(long start, long end, long layerStart, long layerEnd) => new(
        Embeddings.Slice(0, start, end), PerLayer.Count == 0 ? [] : [.. PerLayer.Select(layer => layer.Slice(0, layerStart, layerEnd))]);

    /// <summary>At the image tokens of an input; null where it has none.</summary>
    public ImageTokens? At(ModelInput input)
    {
        if (input.ImageSlots is not { } slots)
        {
            return null;
        }

        var standing = input.FeatureRows is { } rows ? Map(tensor => tensor.IndexSelect(0, rows)) : this;
        return new ImageTokens(slots, standing.Embeddings, standing.PerLayer);
    }
}
