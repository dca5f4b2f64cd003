using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Tensors;

namespace Fovea.Training.Session;

/// <summary>A micro-batch on the device, or on its way there. It owns its tensors.</summary>
/// <param name="Batch">What it was made from; must outlive it.</param>
/// <param name="Input">What the model takes.</param>
/// <param name="LossIndex">
/// 64-bit positions that predict a trained token [L]: of a rank that has a part of the tokens its own, or, where it has none of them, one that counts nothing.
/// </param>
/// <param name="Targets">64-bit ids to predict [L].</param>
/// <param name="Tensors">Everything that was made for it.</param>
internal sealed record PreparedBatch(PackedBatch Batch, ModelInput Input, Tensor LossIndex, Tensor Targets, IReadOnlyList<Tensor> Tensors) : IDisposable
{
    /// <summary>Which of the batch's trained tokens this rank has: the first, and how many.</summary>
    public required (int First, int Count) Trained { get; init; }

    /// <summary>Features of its images that were at hand, on the device; null for each that was not, or where none were sent ahead.</summary>
    public IReadOnlyList<VisualFeatures?>? Features { get; init; }

    /// <summary>Of something that every trained token of the batch has, the part of <see cref="LossIndex"/>.</summary>
    public T[] OfTrained<T>(T[] all) =>
        LossIndex.Size(0) > Trained.Count ? new T[1] : all.Length == Trained.Count ? all : all[Trained.First..(Trained.First + Trained.Count)];

    public void Dispose()
    {
        foreach (var tensor in Tensors)
        {
            tensor.Dispose();
        }
    }
}
