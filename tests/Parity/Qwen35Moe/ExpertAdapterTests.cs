using Fovea.Tests.Parity.Experts;

namespace Fovea.Tests.Parity.Qwen35Moe;

/// <summary>LoRA on the experts of Qwen3.5, beside the gate of the shared one and the values of attention (tests/goldens/qwen3_5_moe/more.py).</summary>
public sealed class ExpertAdapterTests() : ExpertAdapterTestsBase("qwen3_5_moe", weights: (4 * 2 * 2) + (4 * 2) + 2, "qwen3_5_nothink")
{
    [Fact]
    public void An_export_folds_the_adapter_into_the_experts()
    {
        using var folder = new TempFolder();
        FoldsInto(TestFiles.Golden("qwen3_5_moe/model"), Path.Combine(folder.Path, "merged"));
    }
}
