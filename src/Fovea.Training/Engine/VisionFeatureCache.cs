using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Tensors;

namespace Fovea.Training.Engine;

/// <summary>
/// Features of images that a frozen vision side has already seen, kept within a budget of bytes. Images are known by file and size in patches;
/// what no longer fits is computed again each time.
/// </summary>
public sealed class VisionFeatureCache(long budgetBytes) : IDisposable
{
    private readonly Dictionary<(string Path, ImageGrid Grid), Tensor> kept = [];

    public long Bytes { get; private set; }

    public long Hits { get; private set; }

    public long Misses { get; private set; }

    /// <summary>Features [M, E] of all images of the batch in order; null without images. Belongs to the open scope.</summary>
    public Tensor? Features(VisionLanguageModel model, PackedBatch batch, ModelInput input)
    {
        if (input.Pixels is null)
        {
            return null;
        }

        var parts = new Tensor[batch.Grids.Length];
        var patch = 0L;
        for (var i = 0; i < parts.Length; i++)
        {
            var grid = batch.Grids[i];
            var key = (batch.ImagePaths[i], grid);
            if (kept.TryGetValue(key, out var known))
            {
                Hits++;
                parts[i] = known;
            }
            else
            {
                Misses++;
                var one = input with { Pixels = input.Pixels.Slice(0, patch, patch + grid.Patches), Grids = [grid] };
                parts[i] = model.VisionFeatures(one)!;
                Keep(key, parts[i]);
            }

            patch += grid.Patches;
        }

        return parts.Length == 1 ? parts[0] : ShapeOps.Cat(parts);
    }

    public void Dispose()
    {
        foreach (var tensor in kept.Values)
        {
            tensor.Dispose();
        }

        kept.Clear();
        Bytes = 0;
    }

    private void Keep((string Path, ImageGrid Grid) key, Tensor features)
    {
        var bytes = features.Count * features.DType.Size();
        if (Bytes + bytes <= budgetBytes)
        {
            kept[key] = features.Share();
            Bytes += bytes;
        }
    }
}
