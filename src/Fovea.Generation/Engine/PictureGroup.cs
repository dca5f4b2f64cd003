using Fovea.Data.Images;
using Fovea.Models;
using Fovea.Nn.Lora;

namespace Fovea.Generation.Engine;

/// <summary>
/// Images that the vision side sees together: one, or all of a prompt where its family makes features depend on the others. Prompts with the same images
/// share it.
/// </summary>
internal sealed class PictureGroup((long Images, NamedAdapter? Adapter) key, IReadOnlyList<ProcessedImage> images) : IDisposable
{
    /// <summary>What the images are, and the adapter that sees them where it works on the vision side.</summary>
    public (long Images, NamedAdapter? Adapter) Key { get; } = key;

    public IReadOnlyList<ProcessedImage> Images { get; } = images;

    public int Patches => Images.Sum(image => image.Grid.Patches);

    /// <summary>Pictures of sequences that need it.</summary>
    public int Users { get; set; }

    /// <summary>Features of all its images; null until the vision side has seen them.</summary>
    public VisualFeatures? Features { get; private set; }

    /// <param name="features">May belong to a scope; what is kept does not.</param>
    public void Keep(VisualFeatures features) => Features = features.Map(tensor => tensor.Keep());

    public void Dispose()
    {
        Features?.Embeddings.Dispose();
        foreach (var layer in Features?.PerLayer ?? [])
        {
            layer.Dispose();
        }

        Features = null;
    }
}
