namespace Fovea.Nn;

/// <summary>Bytes that a forward pass holds until its backward pass.</summary>
/// <param name="Around">Of what belongs to no block: inputs, tables of positions, the last block's result.</param>
/// <param name="Blocks">Of each block that ran, its input included.</param>
/// <param name="Recorded">The blocks that have a backward pass.</param>
internal sealed record PassMemory(long Around, IReadOnlyDictionary<Block, long> Blocks, IReadOnlyCollection<Block> Recorded);
