using Fovea.Distributed;

namespace Fovea.Bench;

/// <summary>One setting of the benchmark over ranks.</summary>
/// <param name="Ranks">Processes that train together.</param>
/// <param name="Zero">What is divided: <see cref="ShardingOptions.Stage"/>.</param>
/// <param name="Full">Whether everything learns, or adapters alone.</param>
/// <param name="Steps">Measured steps, after one that is not.</param>
/// <param name="Fp32">The computation in fp32 instead of bf16.</param>
/// <param name="Tokens">Of a sample, text alone; null for the mid benchmark's samples with images.</param>
/// <param name="Folder">The model.</param>
internal sealed record RankOptions(int Ranks, int Zero, bool Full, int Steps, bool Fp32, int? Tokens, string Folder);
