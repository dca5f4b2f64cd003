namespace Fovea.Evaluation.Running;

/// <summary>How far a run is.</summary>
/// <param name="Done">Questions that this process has answered, those of earlier runs included.</param>
/// <param name="Total">All questions of this process.</param>
/// <param name="Remaining">At the speed so far; null before there is one.</param>
internal sealed record BenchmarkProgress(int Done, int Total, TimeSpan? Remaining);
