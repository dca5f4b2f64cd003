namespace Fovea.Tensors;

/// <summary>What a block that is computed again in its backward pass keeps of its input.</summary>
internal interface IKeptInput : IDisposable
{
    /// <summary>The input's values where the block computes, detached, in the open scope. Asked for once.</summary>
    Tensor Take();
}
