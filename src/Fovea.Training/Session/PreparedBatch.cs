using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Tensors;

namespace Fovea.Training.Session;

/// <summary>A micro-batch on the device, or on its way there. It owns its tensors.</summary>
/// <param name="Batch">What it was made from; must outlive it.</param>
/// <param name="Input">What the model takes.</param>
/// <param name="LossIndex">64-bit positions that predict a trained token [L].</param>
/// <param name="Targets">64-bit ids to predict [L].</param>
/// <param name="Tensors">Everything that was made for it.</param>
internal sealed record PreparedBatch(PackedBatch Batch, ModelInput Input, Tensor LossIndex, Tensor Targets, IReadOnlyList<Tensor> Tensors) : IDisposable
{
    /// <summary>Features of its images that were at hand, on the device; null for each that was not, or where none were sent ahead.</summary>
    public IReadOnlyList<VisualFeatures?>? Features { get; init; }

    public void Dispose()
    {
        foreach (var tensor in Tensors)
        {
            tensor.Dispose();
        }
    }
}
