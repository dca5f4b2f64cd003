using Fovea.Nn;

namespace Fovea.Training.Planning;

/// <summary>What one block keeps for its backward pass, in each mode.</summary>
/// <param name="Input">Its input, which is part of all of these.</param>
/// <param name="Working">What its kernels work in while they run, in any mode.</param>
internal sealed record BlockCost(Block Block, RowBytes Keep, RowBytes Selective, RowBytes Recompute, RowBytes Input, RowBytes Working)
{
    /// <summary>Whether its rows are patches of images, not tokens.</summary>
    public bool IsVision => Block.Part != ModelPart.Language;

    /// <summary>On the device.</summary>
    public RowBytes Of(BlockMode mode) => mode switch
    {
        BlockMode.Keep => Keep,
        BlockMode.Selective => Selective,
        BlockMode.Recompute => Recompute,
        _ => Recompute - Input,
    };
}
