using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn;
using Fovea.Nn.Lora;

namespace Fovea.Tests.Unit.Peft;

/// <summary>The published sizes of MiniCPM-V on the meta device (tests/goldens/minicpm_configs).</summary>
public sealed class MiniCpmVShapesTests : NativeTest
{
    private const string Pattern = @"llm\..*layers\.\d+\.self_attn\.(q_proj|k_proj|v_proj|o_proj)";

    [Theory]
    [InlineData("v2", 3_434_965_792, 47_185_920)]
    [InlineData("v25", 8_537_092_336, 54_525_952)]
    [InlineData("v26", 8_099_175_152, 40_370_176)]
    [InlineData("o26", 8_099_418_864, 40_370_176)]
    [InlineData("v45", 8_695_895_280, 61_341_696)]
    public void Sizes_and_the_official_adapters_count_as_published(string version, long parameters, long adapter)
    {
        using var model = Build(version, (_, _) => false);
        Assert.Equal(parameters, model.Ledger.Count);
        var targets = LoraTargets.Choose(model, ModelSource.Open(Folder(version)).Family, [Pattern]);
        Assert.Equal(4 * model.Layers, targets.Paths.Count);
        Assert.Equal(adapter, targets.Parameters(64));
    }

    [Fact]
    public void The_official_settings_train_as_many_weights_as_the_original()
    {
        // finetune_ds.sh: vision tower and resampler.
        using var full = Build("v26", (part, _) => part != ModelPart.Language);
        Assert.Equal(486_411_504, full.Ledger.Trainable.Sum(p => p.Count));

        // finetune_lora.sh: adapters, and what modules_to_save names.
        var config = new PeftConfig { ModulesToSave = ["embed_tokens", "resampler", "vpm"] };
        using var lora = Build("v26", (_, name) => config.SavesWhole(name));
        Assert.Equal(543_570_944 + 68_619_264 + 417_792_240, lora.Ledger.Trainable.Sum(p => p.Count));
        var targets = LoraTargets.Choose(lora, ModelSource.Open(Folder("v26")).Family, [Pattern]);
        Adapters.Attach(lora.Ledger, new LoraOptions { Rank = 64 }, targets.Matches);
        Assert.Equal(1_070_352_624, lora.Ledger.Trainable.Sum(p => p.Count));
    }

    private static string Folder(string version) => TestFiles.Golden($"minicpm_configs/{version}");

    private static VisionLanguageModel Build(string version, Func<ModelPart, string, bool> trainable)
    {
        var options = new ModelOptions { Compute = DType.BF16, Device = Device.Meta, Trainable = trainable };
        return ModelSource.Open(Folder(version)).Build(new MetaSource(), options);
    }
}
