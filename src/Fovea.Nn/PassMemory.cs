namespace Fovea.Nn;

/// <summary>Bytes that a forward pass holds until its backward pass.</summary>
/// <param name="Around">Of what belongs to no block: inputs, tables of positions, the last block's result.</param>
/// <param name="Blocks">Of each block that ran, its input included.</param>
/// <param name="Inputs">Of their inputs alone.</param>
/// <param name="Working">What kernels of a block work in besides, at most, while it goes forward or back; of blocks where that is much.</param>
/// <param name="Recorded">The blocks that have a backward pass.</param>
internal sealed record PassMemory(
    long Around, IReadOnlyDictionary<Block, long> Blocks, IReadOnlyDictionary<Block, long> Inputs, IReadOnlyDictionary<Block, long> Working,
    IReadOnlyCollection<Block> Recorded);
