using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn;
using Fovea.Nn.Lora;

namespace Fovea.Tests.Unit.Peft;

/// <summary>The published sizes of Qwen2.5-VL on the meta device; the numbers come from tests/goldens/qwen2_5_vl_configs/make.py.</summary>
public sealed class PublishedShapesTests : NativeTest
{
    [Theory]
    [InlineData("3b", 3_754_622_976, 252, 14_966_784)]
    [InlineData("7b", 8_292_166_656, 196, 20_185_088)]
    [InlineData("72b", 73_410_777_344, 560, 105_267_200)]
    public void Sizes_and_adapters_count_as_published(string size, long parameters, int linears, long adapter)
    {
        using var model = Build(size);
        Assert.Equal(parameters, model.Ledger.Count);
        var targets = LoraTargets.Choose(model, Families.All[0], ["all"]);
        Assert.Equal(linears, targets.Paths.Count);
        Assert.Equal(adapter, targets.Parameters(8));
        var adapted = Adapters.Attach(model.Ledger, new LoraOptions { Rank = 8 }, targets.Matches);
        Assert.Equal(linears, adapted.Count);
        Assert.Equal(adapter, model.Ledger.Trainable.Sum(p => p.Count));
    }

    [Fact]
    public void The_share_of_the_7B_adapter_is_the_one_that_users_know()
    {
        using var model = Build("7b");
        var adapter = LoraTargets.Choose(model, Families.All[0], ["all"]).Parameters(8);
        var all = model.Ledger.Count + adapter;
        Assert.Equal(8_312_351_744, all);
        Assert.Equal(0.2428, 100.0 * adapter / all, 4);
    }

    internal static VisionLanguageModel Build(string size) => ModelSource.Open(TestFiles.Golden($"qwen2_5_vl_configs/{size}")).Build(
        new MetaSource(), new ModelOptions { Compute = DType.BF16, Device = Device.Meta });
}
