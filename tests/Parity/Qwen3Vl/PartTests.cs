using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Tests.Parity.Qwen3Vl;

/// <summary>
/// Which weights learn: LLaMA-Factory registers <c>visual.merger</c> as the projector and everything else below <c>visual</c>, the mergers of DeepStack too, as
/// the tower. Published sizes, on the meta device.
/// </summary>
public sealed class PartTests : NativeTest
{
    private static readonly string[] Tower =
        ["model.visual.pos_embed", "model.visual.patch_embed", "model.visual.blocks", "model.visual.deepstack_merger_list"];

    [Theory]
    [InlineData(true, true, false, 47)]
    [InlineData(true, false, false, 53)]
    [InlineData(false, true, false, 140)]
    [InlineData(false, false, false, 146)]
    [InlineData(false, true, true, 93)]
    [InlineData(false, false, true, 99)]
    [InlineData(true, false, true, 6)]
    public void The_freezing_keys_free_the_parts_that_LLaMA_Factory_frees(bool tower, bool projector, bool language, int count)
    {
        var source = ModelSource.Open(TinyData.Folder);
        var yaml = $"""
            model_name_or_path: x
            dataset: x
            output_dir: x
            finetuning_type: full
            freeze_vision_tower: {Text(tower)}
            freeze_multi_modal_projector: {Text(projector)}
            freeze_language_model: {Text(language)}
            """;
        var rule = TrainableRule.From(TrainConfig.Parse(yaml, "test").Tuning, source);
        using var model = source.Build(new MetaSource(), new ModelOptions { Device = Device.Meta, Trainable = rule });
        string[] open =
        [
            .. tower ? [] : Tower, .. projector ? [] : (string[])["model.visual.merger"],
            .. language ? [] : (string[])["model.language_model", "lm_head"],
        ];
        var expected = model.Ledger.Parameters.Select(p => p.Name).Where(name => open.Any(part => name.StartsWith($"{part}.", StringComparison.Ordinal)));
        Assert.Equal(expected, model.Ledger.Trainable.Select(p => p.Name));
        Assert.Equal(count, model.Ledger.Trainable.Count());
    }

    [Theory]
    [InlineData(true, true, false, 28)]
    [InlineData(false, true, false, 28 + (6 * 4) + (3 * 2))]
    [InlineData(false, false, false, 28 + (6 * 4) + (4 * 2))]
    [InlineData(false, true, true, (6 * 4) + (3 * 2))]
    public void All_takes_the_linears_of_the_parts_that_are_open(bool tower, bool projector, bool language, int count)
    {
        var source = ModelSource.Open(TinyData.Folder);
        using var model = source.Build(new MetaSource(), new ModelOptions { Device = Device.Meta });
        var targets = LoraTargets.Choose(model, source.Family, ["all"], tower, projector, language);
        Assert.Equal(count, targets.Paths.Count);
        Assert.Equal(targets.Paths, targets.ModuleNames);
        Assert.DoesNotContain(targets.Paths, path => path.Contains("patch_embed", StringComparison.Ordinal) || path == "lm_head");
    }

    [Theory]
    [InlineData("2b", 2_127_532_032, 406_957_056, 8_716_288)]
    [InlineData("4b", 4_437_815_808, 415_347_712, 16_515_072)]
    [InlineData("8b", 8_767_123_696, 576_388_336, 21_823_488)]
    [InlineData("32b", 33_357_390_064, 595_266_800, 67_108_864)]
    public void Sizes_and_adapters_count_as_published(string size, long parameters, long vision, long adapter)
    {
        var source = ModelSource.Open(TestFiles.Golden($"qwen3_vl_configs/{size}"));
        using var model = source.Build(new MetaSource(), new ModelOptions { Compute = DType.BF16, Device = Device.Meta });
        Assert.Equal(parameters, model.Ledger.Count);
        Assert.Equal(vision, model.Ledger.Parameters.Where(p => source.Family.PartOf(p.Name) != ModelPart.Language).Sum(p => p.Count));
        var targets = LoraTargets.Choose(model, source.Family, ["all"]);
        Assert.Equal(7 * model.Layers, targets.Paths.Count);
        Adapters.Attach(model.Ledger, new LoraOptions { Rank = 8 }, targets.Matches);
        Assert.Equal(adapter, model.Ledger.Trainable.Sum(p => p.Count));
    }

    [Theory]
    [InlineData("text_config.rope_scaling.mrope_interleaved", "false", "mrope_interleaved must be true")]
    [InlineData("text_config.rope_scaling.mrope_section", "[4, 6, 5]", "three parts that add up to half of head_dim, which is 32")]
    [InlineData("text_config.rope_scaling.mrope_section", "[5, 6, 5]", "no more than every third of the 16 frequencies")]
    [InlineData("text_config.rope_scaling.rope_type", "\"llama3\"", "rope_scaling.rope_type must be default, linear, yarn; others")]
    [InlineData("text_config.attention_bias", "true", "text_config.attention_bias must be false")]
    [InlineData("text_config.hidden_act", "\"gelu\"", "text_config.hidden_act must be \"silu\"")]
    [InlineData("text_config.num_key_value_heads", "4", "a multiple of num_key_value_heads 4")]
    [InlineData("text_config.num_hidden_layers", "2", "num_hidden_layers must be at least 3, as many as vision_config.deepstack_visual_indexes")]
    [InlineData("text_config.tie_word_embeddings", "true", "text_config.tie_word_embeddings must be what the file says outside text_config")]
    [InlineData("text_config.num_experts", "8", "num_experts")]
    [InlineData("vision_config.deepstack_visual_indexes", "[1, 4, 2]", "numbers of blocks in ascending order, each below depth, which is 6")]
    [InlineData("vision_config.deepstack_visual_indexes", "[1, 2, 6]", "numbers of blocks in ascending order, each below depth, which is 6")]
    [InlineData("vision_config.num_position_embeddings", "401", "num_position_embeddings must be the square of a whole number")]
    [InlineData("vision_config.hidden_act", "\"silu\"", "vision_config.hidden_act must be \"gelu_pytorch_tanh\"")]
    [InlineData("vision_config.out_hidden_size", "64", "hidden_size must be the vision tower's out_hidden_size 64")]
    [InlineData("vision_config.num_heads", "3", "vision_config.num_heads must be such that each head")]
    public void What_is_not_computed_is_refused_by_name(string field, string value, string error)
    {
        using var folder = new ConfigFolder("qwen3_vl/model");
        folder.Set(field, value);
        var thrown = Assert.Throws<ConfigException>(() => ModelSource.Open(folder.Path).Build(new MetaSource(), new ModelOptions { Device = Device.Meta }));
        Assert.Contains(error, thrown.Message);
        Assert.Contains(folder.Path, thrown.Message);
    }

    private static string Text(bool value) => value ? "true" : "false";
}
