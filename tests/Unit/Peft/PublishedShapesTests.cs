using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn;
using Fovea.Nn.Lora;

namespace Fovea.Tests.Unit.Peft;

/// <summary>
/// The published sizes of Qwen2.5-VL and Qwen2-VL on the meta device; the numbers come from make.py in tests/goldens/qwen2_5_vl_configs and qwen2_vl_configs.
/// </summary>
public sealed class PublishedShapesTests : NativeTest
{
    [Theory]
    [InlineData("qwen2_5_vl_configs/3b", 3_754_622_976, 252, 14_966_784)]
    [InlineData("qwen2_5_vl_configs/7b", 8_292_166_656, 196, 20_185_088)]
    [InlineData("qwen2_5_vl_configs/72b", 73_410_777_344, 560, 105_267_200)]
    [InlineData("qwen2_vl_configs/2b", 2_208_985_600, 196, 9_232_384)]
    [InlineData("qwen2_vl_configs/7b", 8_291_375_616, 196, 20_185_088)]
    [InlineData("qwen2_vl_configs/72b", 73_405_560_320, 560, 105_267_200)]
    public void Sizes_and_adapters_count_as_published(string folder, long parameters, int linears, long adapter)
    {
        var source = ModelSource.Open(TestFiles.Golden(folder));
        using var model = Build(source);
        Assert.Equal(parameters, model.Ledger.Count);
        var targets = LoraTargets.Choose(model, source.Family, ["all"]);
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

    internal static VisionLanguageModel Build(string size) => Build(ModelSource.Open(TestFiles.Golden($"qwen2_5_vl_configs/{size}")));

    private static VisionLanguageModel Build(ModelSource source) => source.Build(
        new MetaSource(), new ModelOptions { Compute = DType.BF16, Device = Device.Meta });
}
