using Fovea.Tests.Parity.Experts;

namespace Fovea.Tests.Parity.Qwen35Moe;

/// <summary>Steps of Qwen3.5 with experts; adapters on every linear, the shared expert's and its gate's too.</summary>
public sealed class TrainingTests() : TrainingTestsBase("qwen3_5_moe", "qwen3_5_nothink");
