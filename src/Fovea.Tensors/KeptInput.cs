namespace Fovea.Tensors;

/// <summary>The input itself, where it is.</summary>
internal sealed class KeptInput(Tensor input) : IKeptInput
{
    private readonly Tensor input = input.Detach().Keep();

    public Tensor Take() => input.Detach();

    public void Dispose() => input.Dispose();
}
