using Fovea.Tests.Parity.Experts;

namespace Fovea.Tests.Parity.Qwen3VlMoe;

/// <summary>Greedy tokens of Qwen3-VL with experts.</summary>
public sealed class GreedyTests() : GreedyTestsBase("qwen3_vl_moe");
