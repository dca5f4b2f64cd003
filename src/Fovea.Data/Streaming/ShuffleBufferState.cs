namespace Fovea.Data.Streaming;

/// <summary>What a buffer holds.</summary>
/// <param name="Random">What is drawn from next, before the numbers that are drawn already.</param>
/// <param name="Drawn">Numbers that are drawn already and not used.</param>
/// <param name="Given">Rows of the shuffled rest that were given; -1 before the stream has ended.</param>
internal sealed record ShuffleBufferState(IReadOnlyList<RowPlace> Waiting, string Random, int Drawn, int Given);
