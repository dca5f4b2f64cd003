namespace Fovea.Distributed;

/// <summary>What a checkpoint consists of. A <see cref="ParallelStrategy"/> calls each on the ranks that have something to write.</summary>
/// <param name="Optimizer">Writes one part of the optimizer's state, given its number from 0 and how many there are; null to leave it out.</param>
/// <param name="Weights">Writes the weights with their configuration. Called on rank 0, which may read every weight whole meanwhile.</param>
/// <param name="WithoutWeights">Writes the configuration alone: sharded weights may stay in the optimizer's parts; null where they may not.</param>
internal sealed record CheckpointContent(Action<int, int>? Optimizer, Action Weights, Action? WithoutWeights = null);
