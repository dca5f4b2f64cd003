using Fovea.Nn;
using Fovea.Tests.Parity;
using Fovea.Training.Config;
using Fovea.Training.Optim;

namespace Fovea.Tests.Unit.Training;

/// <summary>Which weight learns at which rate.</summary>
public sealed class RateRuleTests : NativeTest
{
    [Theory]
    [InlineData("loraplus")]
    [InlineData("loraplus_dora")]
    public void LoraPlus_groups_weights_as_the_reference_does(string golden)
    {
        var config = Config("loraplus_lr_ratio: 16\nlearning_rate: 2e-4\nweight_decay: 0.1");
        var count = 0;
        foreach (var group in Golden.Json(TestFiles.Golden($"peft_variants/{golden}/train.json")).GetProperty("groups").EnumerateArray())
        {
            foreach (var name in group.GetProperty("names").EnumerateArray().Select(name => name.GetString()!.Replace(".default", string.Empty)))
            {
                var spelled = name.Replace("lora_magnitude_vector.weight", "lora_magnitude_vector", StringComparison.Ordinal);
                using var parameter = Made(spelled, spelled == name ? [4, 4] : [4]);
                Assert.Equal(group.GetProperty("lr").GetDouble(), 2e-4 * RateRule.Factor(config, parameter.Of, ModelPart.Language), 1e-12);
                Assert.Equal(group.GetProperty("weight_decay").GetDouble(), DecayRule.Applies(parameter.Of) ? 0.1 : 0);
                count++;
            }
        }

        Assert.Equal(golden == "loraplus" ? 56 : 24, count);
    }

    [Fact]
    public void Without_keys_all_have_the_learning_rate_and_vectors_count_as_B()
    {
        using var vector = Made("model.norm.weight", [4]);
        using var b = Made("q_proj.lora_B.weight", [4, 2]);
        using var a = Made("q_proj.lora_A.weight", [2, 4]);
        Assert.All([vector, b, a], made => Assert.Equal(1, RateRule.Factor(Config("learning_rate: 1e-4"), made.Of, ModelPart.Language)));
        var ratio = Config("loraplus_lr_ratio: 4");
        Assert.Equal([4.0, 4.0, 1.0], new[] { vector, b, a }.Select(made => RateRule.Factor(ratio, made.Of, ModelPart.Language)));
    }

    [Fact]
    public void Rates_by_name_go_before_those_of_parts_and_the_first_match_counts()
    {
        using var q = Made("model.layers.0.self_attn.q_proj.weight", [4, 2]);
        using var gate = Made("model.layers.0.mlp.gate_proj.weight", [4, 2]);
        using var tower = Made("visual.blocks.1.attn.qkv.weight", [4, 2]);
        var config = Config("learning_rate: 1e-4\nvit_lr: 3e-4\nlr_by_name: {'layers\\.0\\.self_attn': 2e-4, 'layers\\.0': 5e-5, 'qkv|none': 0}");
        Assert.Equal(2, RateRule.Factor(config, q.Of, ModelPart.Language), 1e-12);
        Assert.Equal(0.5, RateRule.Factor(config, gate.Of, ModelPart.Language), 1e-12);
        Assert.Equal(0, RateRule.Factor(config, tower.Of, ModelPart.Vision));
        Assert.Equal(3, RateRule.Factor(Config("learning_rate: 1e-4\nvit_lr: 3e-4"), tower.Of, ModelPart.Vision), 1e-12);
        var lora = Config("learning_rate: 1e-4\nloraplus_lr_ratio: 4\nlr_by_name: {lora_B: 2e-4}");
        using var b = Made("q_proj.lora_B.weight", [4, 2]);
        Assert.Equal(8, RateRule.Factor(lora, b.Of, ModelPart.Language), 1e-12);
    }

    [Theory]
    [InlineData("lr_by_name: {'qproj': 1e-4}", "lr_by_name: 'qproj' matches no trainable weight; names are for instance a.q_proj.weight")]
    [InlineData("lr_by_name: {'q_proj': 1e-4, 'lm_head$': 1}", "lr_by_name: 'lm_head$' matches no trainable weight")]
    public void An_expression_that_finds_nothing_is_answered_with_names(string line, string problem) => Assert.Contains(
        problem, Assert.Throws<ConfigException>(() => RateRule.Check(
            Config(line), ["a.q_proj.weight", "model.embed_tokens.weight", "model.layers.10.mlp.down_proj.weight"], _ => ModelPart.Language)).Message);

    [Theory]
    [InlineData("lr_by_name: {'(': 1e-4}", "lr_by_name: '(' is no regular expression")]
    [InlineData("lr_by_name: {q: -1}", "lr_by_name: the rate of 'q' must be at least 0")]
    [InlineData("lr_by_name: {q: fast}", "q must be a number")]
    [InlineData("learning_rate: 0\nlr_by_name: {q: 1}", "lr_by_name needs a learning_rate above 0")]
    public void A_rate_by_name_that_is_none_is_refused(string lines, string problem) =>
        Assert.Contains(problem, Assert.Throws<ConfigException>(() => Config(lines)).Message);

    [Fact]
    public void A_factor_is_the_rate_of_its_weight_alone()
    {
        // One step of AdamW at rate r moves every element by r: the first has 3 r, the second r.
        using var first = Made("first", [4, 2], trainable: true);
        using var second = Made("second", [4, 2], trainable: true);
        using var optimizer = new AdamW(
            [new ParameterShard(first.Of), new ParameterShard(second.Of)], 0.9, 0.999, 0, 0, factor: parameter => parameter == first.Of ? 3 : 1);
        using (TensorScope.Open("test"))
        {
            first.Of.Value.SetGrad(CreateOps.Ones([4, 2]));
            second.Of.Value.SetGrad(CreateOps.Ones([4, 2]));
        }

        optimizer.Step(0.01);
        Assert.All(first.Of.Value.ToArray<float>(), value => Assert.Equal(-0.03, value, 1e-6));
        Assert.All(second.Of.Value.ToArray<float>(), value => Assert.Equal(-0.01, value, 1e-6));
    }

    [Theory]
    [InlineData("finetuning_type: full\nloraplus_lr_ratio: 16", "loraplus_lr_ratio is only for finetuning_type: lora")]
    [InlineData("finetuning_type: full\nuse_dora: true", "use_dora is only for finetuning_type: lora")]
    [InlineData("finetuning_type: freeze\nrank_pattern: {q_proj: 4}", "rank_pattern is only for finetuning_type: lora")]
    [InlineData("finetuning_type: full\ncreate_new_adapter: true", "create_new_adapter is only for finetuning_type: lora")]
    [InlineData("lora_target_parameters: mlp.experts.down_proj\nuse_dora: true", "lora_target_parameters and use_dora exclude each other")]
    [InlineData("lora_target_parameters: mlp.experts.down_proj\nalpha_pattern: {q_proj: 4}", "goes without rank_pattern and alpha_pattern")]
    [InlineData("rank_pattern: {q_proj: 4.5}", "rank_pattern: q_proj: 4.5 must be a whole number from 1 to 65536")]
    [InlineData("alpha_pattern: {\"q_(proj\": 4}", "alpha_pattern: the regular expression q_(proj is malformed")]
    public void Keys_that_do_not_go_together_are_named(string yaml, string problem) =>
        Assert.Contains(problem, Assert.Throws<ConfigException>(() => Config(yaml)).Message, StringComparison.Ordinal);

    private static TrainConfig Config(string yaml) => TrainConfig.Parse($"{yaml}\nmodel_name_or_path: x\ndataset: x\noutput_dir: x", "test");

    private static OwnedParameter Made(string name, long[] shape, bool trainable = false)
    {
        using var scope = TensorScope.Open("test");
        var value = CreateOps.Zeros(shape).Keep();
        value.RequiresGrad = trainable;
        return new OwnedParameter(new Parameter(name, shape, value, trainable, DType.F32));
    }

    private sealed class OwnedParameter(Parameter of) : IDisposable
    {
        public Parameter Of { get; } = of;

        public void Dispose() => Of.Value.Dispose();
    }
}
