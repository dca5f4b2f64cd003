using Fovea.Tests.Parity.Experts;

namespace Fovea.Tests.Parity.Qwen3VlMoe;

/// <summary>Steps of Qwen3-VL with experts.</summary>
public sealed class TrainingTests() : TrainingTestsBase("qwen3_vl_moe")
{
    private protected override float[] Values(Tensor weight) => GridRun.AsTransformersHas(weight);
}
