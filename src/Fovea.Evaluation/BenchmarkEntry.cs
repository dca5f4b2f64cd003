using Fovea.Evaluation.Predictions;

namespace Fovea.Evaluation;

/// <summary>A benchmark in the list of all.</summary>
/// <param name="Files">The files that it reads, as a user is to give them.</param>
/// <param name="Form">The form of files with answers to it.</param>
internal sealed record BenchmarkEntry(Benchmark Benchmark, string Files, PredictionForm Form);
