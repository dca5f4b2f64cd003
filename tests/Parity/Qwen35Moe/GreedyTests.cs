using Fovea.Tests.Parity.Experts;

namespace Fovea.Tests.Parity.Qwen35Moe;

/// <summary>Greedy tokens of Qwen3.5 with experts.</summary>
public sealed class GreedyTests() : GreedyTestsBase("qwen3_5_moe");
