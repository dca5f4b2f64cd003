using Fovea.Nn;

namespace Fovea.Training.Planning;

/// <summary>What one block keeps for its backward pass, in each mode.</summary>
/// <param name="Working">What its kernels work in while they run, in any mode.</param>
internal sealed record BlockCost(Block Block, RowBytes Keep, RowBytes Selective, RowBytes Recompute, RowBytes Working)
{
    /// <summary>Whether its rows are patches of images, not tokens.</summary>
    public bool IsVision => Block.Part != ModelPart.Language;

    public RowBytes Of(BlockMode mode) => mode switch
    {
        BlockMode.Keep => Keep,
        BlockMode.Selective => Selective,
        _ => Recompute,
    };
}
