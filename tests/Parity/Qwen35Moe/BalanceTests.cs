using Fovea.Tests.Parity.Experts;

namespace Fovea.Tests.Parity.Qwen35Moe;

/// <summary>The routers' loss of Qwen3.5.</summary>
public sealed class BalanceTests() : BalanceTestsBase("qwen3_5_moe")
{
    protected override string? Template => "qwen3_5_nothink";
}
