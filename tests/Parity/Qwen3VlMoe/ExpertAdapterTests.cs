using Fovea.Tests.Parity.Experts;

namespace Fovea.Tests.Parity.Qwen3VlMoe;

/// <summary>LoRA on the experts of Qwen3-VL (tests/goldens/qwen3_vl_moe/more.py), in both layouts.</summary>
public sealed class ExpertAdapterTests() : ExpertAdapterTestsBase("qwen3_vl_moe", weights: 4 * 2 * 4)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_export_folds_the_adapter_into_either_layout(bool asTransformersWrites)
    {
        using var folder = new TempFolder();
        var source = TestFiles.Golden("qwen3_vl_moe/model");
        if (asTransformersWrites)
        {
            source = Path.Combine(folder.Path, "transposed");
            Transposed.Write(source);
        }

        FoldsInto(source, Path.Combine(folder.Path, "merged"));
    }
}
