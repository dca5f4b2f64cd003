using Fovea.Data.Sampling;

namespace Fovea.Data.Streaming;

/// <summary>Where a mix stands.</summary>
/// <param name="Current">The dataset that is being read, where they follow one another.</param>
internal sealed record StreamMixState(IReadOnlyList<CursorState> Cursors, int Current, MixTurnsState? Turns);
