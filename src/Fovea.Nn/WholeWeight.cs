using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>The whole value of a weight, there until this is disposed.</summary>
/// <param name="value">In the element type in which it is trained, else in which it is stored.</param>
/// <param name="lease">Ends with it; null where the weight is whole anyway.</param>
internal sealed class WholeWeight(Tensor value, IDisposable? lease = null) : IDisposable
{
    public Tensor Value { get; } = value;

    public void Dispose() => lease?.Dispose();
}
