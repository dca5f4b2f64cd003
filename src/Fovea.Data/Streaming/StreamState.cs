namespace Fovea.Data.Streaming;

/// <summary>Where a stream stands before a step, so that a run can go on from there without reading what came before.</summary>
/// <param name="Step">The step whose samples come next, from 0.</param>
/// <param name="Taken">Samples given before it, all ranks.</param>
/// <param name="Epoch">The pass over the data, from 0.</param>
/// <param name="Files">The datasets' files with their lengths: with others the places would be wrong.</param>
internal sealed record StreamState(
    int Step, long Taken, int Epoch, StreamMixState Mix, ShuffleBufferState Buffer, IReadOnlyList<string> Files);
