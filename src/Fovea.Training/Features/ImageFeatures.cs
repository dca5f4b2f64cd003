using Fovea.Models;
using Fovea.Native;
using Fovea.Tensors;

namespace Fovea.Training.Features;

/// <summary>
/// What a vision side makes of one image, in one piece of memory: [Rows, Width] elements, row after row, and then as much for each layer of the decoder that
/// has features of its own. The memory is counted by its references.
/// </summary>
internal sealed record ImageFeatures(WritableMemory Memory, long Rows, long Width, DType DType)
{
    /// <summary>Layers with features of their own; usually none.</summary>
    public int Layers { get; init; }

    /// <summary>Rows of the features of a layer.</summary>
    public long LayerRows { get; init; }

    /// <summary>Width of the features of a layer.</summary>
    public long LayerWidth { get; init; }

    /// <summary>Bytes of all tensors.</summary>
    /// <exception cref="ArgumentException">They do not have one element type, or layers not one shape.</exception>
    public static long LengthOf(VisualFeatures features)
    {
        foreach (var layer in features.PerLayer)
        {
            if (layer.DType != features.Embeddings.DType || !layer.Shape.SequenceEqual(features.PerLayer[0].Shape))
            {
                throw new ArgumentException("features of an image that differ in type, or from layer to layer in shape", nameof(features));
            }
        }

        return (features.Embeddings.Count + features.PerLayer.Sum(layer => layer.Count)) * features.Embeddings.DType.Size();
    }

    /// <summary>In memory that is large enough for them (<see cref="LengthOf"/>), whoever writes them there.</summary>
    public static ImageFeatures Of(VisualFeatures features, WritableMemory memory)
    {
        var all = new ImageFeatures(memory, features.Embeddings.Size(0), features.Embeddings.Size(1), features.Embeddings.DType);
        return features.PerLayer.Count == 0
            ? all
            : all with { Layers = features.PerLayer.Count, LayerRows = features.PerLayer[0].Size(0), LayerWidth = features.PerLayer[0].Size(1) };
    }

    /// <summary>Tensors over the memory; each holds a reference.</summary>
    public VisualFeatures Tensors()
    {
        var embeddings = Tensor(0, Rows, Width);
        if (Layers == 0)
        {
            return new VisualFeatures(embeddings);
        }

        var layers = new Tensor[Layers];
        for (var i = 0; i < layers.Length; i++)
        {
            layers[i] = Tensor((Rows * Width) + (i * LayerRows * LayerWidth), LayerRows, LayerWidth);
        }

        return new VisualFeatures(embeddings, layers);
    }

    private Tensor Tensor(long element, long rows, long width)
    {
        Memory.AddRef();
        return CreateOps.FromMemory(Memory.Address + (nint)(element * DType.Size()), [rows, width], DType, Memory.Release);
    }
}
