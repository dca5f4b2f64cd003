using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Tests.Parity.Qwen35;

/// <summary>
/// Which weights learn: LLaMA-Factory registers <c>visual.merger</c> as the projector and everything else below <c>visual</c> as the tower. Published sizes, on
/// the meta device.
/// </summary>
public sealed class PartTests : NativeTest
{
    private static readonly string[] Tower =
        ["model.visual.pos_embed", "model.visual.patch_embed", "model.visual.blocks"];

    [Theory]
    [InlineData(true, true, false, 109)]
    [InlineData(true, false, false, 115)]
    [InlineData(false, true, false, 160)]
    [InlineData(false, false, false, 166)]
    [InlineData(false, true, true, 51)]
    [InlineData(false, false, true, 57)]
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
    [InlineData(true, true, false, 62)]
    [InlineData(false, true, false, 62 + (4 * 4))]
    [InlineData(false, false, false, 62 + (4 * 4) + 2)]
    [InlineData(false, true, true, 4 * 4)]
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
    [InlineData("0.8b", 852_985_920, 100_592_896, 5_411_328)]
    [InlineData("2b", 2_213_241_664, 331_416_576, 8_409_600)]
    [InlineData("4b", 4_539_265_536, 333_514_240, 16_232_448)]
    [InlineData("9b", 9_409_813_744, 456_010_480, 21_639_168)]
    [InlineData("27b", 27_356_728_560, 460_730_096, 58_363_904)]
    public void Sizes_and_adapters_count_as_published(string size, long parameters, long vision, long adapter)
    {
        var source = ModelSource.Open(TestFiles.Golden($"qwen3_5_configs/{size}"));
        using var model = source.Build(new MetaSource(), new ModelOptions { Compute = DType.BF16, Device = Device.Meta });
        Assert.Equal(parameters, model.Ledger.Count);
        Assert.Equal(vision, model.Ledger.Parameters.Where(p => source.Family.PartOf(p.Name) != ModelPart.Language).Sum(p => p.Count));
        var targets = LoraTargets.Choose(model, source.Family, ["all"]);
        Assert.Equal((7 * model.Layers / 4) + (8 * model.Layers * 3 / 4), targets.Paths.Count);
        Adapters.Attach(model.Ledger, new LoraOptions { Rank = 8 }, targets.Matches);
        Assert.Equal(adapter, model.Ledger.Trainable.Sum(p => p.Count));
    }

    [Theory]
    [InlineData("text_config.rope_parameters.mrope_interleaved", "false", "mrope_interleaved must be true")]
    [InlineData("text_config.rope_parameters.mrope_section", "[3, 3, 1]", "half of head_dim times partial_rotary_factor, which is 16")]
    [InlineData("text_config.rope_parameters.mrope_section", "[1, 4, 3]", "no more than every third of the 8 frequencies")]
    [InlineData("text_config.rope_parameters.partial_rotary_factor", "0.5", "partial_rotary_factor")]
    [InlineData("text_config.partial_rotary_factor", "0.5", "text_config.partial_rotary_factor must be 0.25")]
    [InlineData("text_config.rope_parameters.rope_type", "\"llama3\"", "rope_parameters.rope_type must be default, linear, yarn; others")]
    [InlineData("text_config.linear_num_value_heads", "3", "a multiple of linear_num_key_heads 2")]
    [InlineData("text_config.layer_types", "[\"full_attention\"]", "one for each of the 8 layers")]
    [InlineData("text_config.layer_types", "3", "layer_types must be a list of texts")]
    [InlineData("text_config.full_attention_interval", "3", "full_attention_interval must be what layer_types says")]
    [InlineData("text_config.attention_bias", "true", "text_config.attention_bias must be false")]
    [InlineData("text_config.hidden_act", "\"gelu\"", "text_config.hidden_act must be \"silu\"")]
    [InlineData("text_config.num_key_value_heads", "3", "a multiple of num_key_value_heads 3")]
    [InlineData("text_config.tie_word_embeddings", "true", "text_config.tie_word_embeddings must be what the file says outside text_config")]
    [InlineData("text_config.num_experts", "8", "num_experts")]
    [InlineData("vision_config.deepstack_visual_indexes", "[1, 2]", "deepstack_visual_indexes must be an empty list")]
    [InlineData("vision_config.num_position_embeddings", "401", "num_position_embeddings must be the square of a whole number")]
    [InlineData("vision_config.hidden_act", "\"silu\"", "vision_config.hidden_act must be \"gelu_pytorch_tanh\"")]
    [InlineData("vision_config.out_hidden_size", "64", "hidden_size must be the vision tower's out_hidden_size 64")]
    [InlineData("vision_config.num_heads", "3", "vision_config.num_heads must be such that each head")]
    public void What_is_not_computed_is_refused_by_name(string field, string value, string error)
    {
        using var folder = new ConfigFolder("qwen3_5/model");
        folder.Set(field, value);
        var thrown = Assert.Throws<ConfigException>(() => ModelSource.Open(folder.Path).Build(new MetaSource(), new ModelOptions { Device = Device.Meta }));
        Assert.Contains(error, thrown.Message);
        Assert.Contains(folder.Path, thrown.Message);
    }

    private static string Text(bool value) => value ? "true" : "false";
}
