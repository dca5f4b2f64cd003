using Fovea.Tests.Parity.Experts;

namespace Fovea.Tests.Parity.Qwen3VlMoe;

/// <summary>The routers' loss of Qwen3-VL.</summary>
public sealed class BalanceTests() : BalanceTestsBase("qwen3_vl_moe");
