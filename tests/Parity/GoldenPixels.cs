using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Training.Features;

namespace Fovea.Tests.Parity;

/// <summary>Pixels of a golden's images, each processed once.</summary>
/// <param name="model">The model's folder.</param>
/// <param name="width">Values of a patch.</param>
internal sealed class GoldenPixels(string model, int width)
{
    private readonly Qwen2VlImageProcessor images = Qwen2VlImageProcessor.Load(model);
    private readonly Dictionary<string, float[]> pixels = [];

    /// <summary>Pixels that a reference gives take the place of a file's.</summary>
    public void Set(string path, float[] values) => pixels[path] = values;

    /// <summary>The same plan, with the pixels of its images.</summary>
    public StepBatch Fill(StepBatch plan)
    {
        foreach (var batch in plan.MicroBatches)
        {
            batch.Tickets = [.. batch.ImagePaths.Select(path => new ImageTicket(path, path, null, default))];
            var target = batch.AllocatePixels(batch.Grids.Sum(grid => grid.Patches), width);
            foreach (var path in batch.ImagePaths)
            {
                if (!pixels.TryGetValue(path, out var values))
                {
                    pixels[path] = values = images.Process(ImageReader.Read(path)).Patches;
                }

                values.CopyTo(target);
                target = target[values.Length..];
            }
        }

        return plan;
    }
}
