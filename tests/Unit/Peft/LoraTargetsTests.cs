using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn;
using Fovea.Tests.Parity;

namespace Fovea.Tests.Unit.Peft;

/// <summary>LLaMA-Factory's rules for <c>lora_target</c> and the freeze switches, on the tiny model: 4 vision blocks, merger, 4 layers.</summary>
public sealed class LoraTargetsTests : NativeTest
{
    private const string OfTheGolden = @"^(?!.*visual).*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)$";
    private readonly VisionLanguageModel model;

    public LoraTargetsTests() => model = ModelSource.Open(TestFiles.Golden("qwen2_5_vl_tiny/model")).Build(
        new MetaSource(), new ModelOptions { Device = Device.Meta });

    [Theory]
    [InlineData(true, true, false, 28)]
    [InlineData(false, true, false, 48)]
    [InlineData(true, false, false, 30)]
    [InlineData(false, false, false, 50)]
    [InlineData(false, true, true, 20)]
    [InlineData(true, false, true, 2)]
    public void All_takes_every_linear_of_the_parts_that_are_not_frozen(bool vision, bool projector, bool language, int count)
    {
        var targets = LoraTargets.Choose(model, Families.All[0], ["all"], vision, projector, language);
        Assert.Equal(count, targets.Paths.Count);
        Assert.Null(targets.Pattern);
        Assert.DoesNotContain("lm_head", targets.Paths);
        Assert.Equal(count, model.Ledger.Linears.Count(linear => targets.Matches(linear.Path)));
    }

    [Theory]
    [InlineData("all_linear", "all")]
    [InlineData("all_linear_exclude_regex", "all", ".*visual.*")]
    [InlineData("all_linear_exclude_list", "all", "gate_proj", "up_proj", "qkv")]
    [InlineData("list_exclude_suffix", "q_proj,v_proj,o_proj", "layers.1.self_attn.q_proj", "o_proj")]
    [InlineData("regex", @".*layers\.[02]\.mlp\.(up|down)_proj")]
    public void What_is_left_after_exclusions_are_the_reference_s_modules(string golden, string target, params string[] exclude)
    {
        var expected = Golden.Json(TestFiles.Golden("peft_variants/targets.json")).GetProperty(golden).GetProperty("modules").EnumerateArray()
            .Select(module => module.GetString()!);
        var targets = LoraTargets.Choose(model, Families.All[0], target.Split(','), false, false, false, exclude);
        Assert.Equal(expected, targets.ModuleNames.Order(StringComparer.Ordinal));
        Assert.Equal(golden == "regex" ? target : null, targets.Pattern);
    }

    [Theory]
    [InlineData("layers", 4)]
    [InlineData(null, 4)]
    [InlineData("blocks", 0)]
    public void An_adapter_may_be_for_some_layers_alone(string? pattern, int count)
    {
        var config = new PeftConfig
        {
            TargetModules = ["q_proj", "gate_proj"], Layers = [1, 3], LayersPattern = pattern is null ? [] : [pattern], ExcludePattern = ".*visual.*",
        };
        var targeted = AdapterContents.Targeted(model, config, []).Select(model.Names.ToModule).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(count, targeted.Count);
        if (count > 0)
        {
            Assert.Equal(Golden.Json(TestFiles.Golden("peft_variants/targets.json")).GetProperty("layers").GetProperty("modules").EnumerateArray()
                .Select(module => module.GetString()!), targeted);
        }
    }

    [Fact]
    public void An_expression_of_which_something_is_excluded_becomes_the_list_of_what_is_left()
    {
        var targets = LoraTargets.Choose(model, Families.All[0], [OfTheGolden], exclude: [@".*layers\.0\..*"]);
        Assert.Equal(21, targets.Paths.Count);
        Assert.Null(targets.Pattern);
    }

    [Theory]
    [InlineData("q_porj", "exclude_modules: q_porj matches no linear layer")]
    [InlineData("q_proj", "exclude_modules: q_proj leaves none of the linear layers")]
    [InlineData("q_(proj", "the regular expression q_(proj for the linears to adapt is malformed")]
    public void Exclusions_that_mean_nothing_or_everything_are_refused(string exclude, string problem)
    {
        var error = Assert.Throws<ConfigException>(() => LoraTargets.Choose(model, Families.All[0], ["q_proj"], exclude: [exclude]));
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_take_the_last_parts_of_paths_outside_frozen_parts()
    {
        var targets = LoraTargets.Choose(model, Families.All[0], ["q_proj", "gate_proj"]);
        Assert.Equal(8, targets.Paths.Count);
        Assert.Contains("model.layers.0.mlp.gate_proj", targets.Paths);
        Assert.Contains("model.language_model.layers.0.mlp.gate_proj", targets.ModuleNames);
        Assert.DoesNotContain(targets.Paths, path => path.StartsWith("visual.", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("model.layers.1.self_attn.q_proj")]
    [InlineData("model.language_model.layers.1.self_attn.q_proj")]
    [InlineData("layers.1.self_attn.q_proj")]
    public void A_path_may_be_written_in_either_spelling(string path) =>
        Assert.Equal(["model.layers.1.self_attn.q_proj"], LoraTargets.Choose(model, Families.All[0], [path]).Paths);

    [Fact]
    public void A_regular_expression_stays_one_where_it_says_what_was_chosen()
    {
        var targets = LoraTargets.Choose(model, Families.All[0], [OfTheGolden]);
        Assert.Equal(28, targets.Paths.Count);
        Assert.Equal(OfTheGolden, targets.Pattern);
    }

    [Fact]
    public void A_regular_expression_that_reaches_frozen_parts_becomes_the_list_of_what_was_chosen()
    {
        var targets = LoraTargets.Choose(model, Families.All[0], [".*gate_proj"]);
        Assert.Equal(4, targets.Paths.Count);
        Assert.Null(targets.Pattern);
    }

    [Fact]
    public void A_regular_expression_for_the_hub_s_names_is_understood_and_listed()
    {
        var targets = LoraTargets.Choose(model, Families.All[0], [@"model\.layers\.[01]\.mlp\.up_proj"]);
        Assert.Equal(["model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj"], targets.Paths);
        Assert.Null(targets.Pattern);
    }

    [Fact]
    public void What_matches_nothing_is_refused_with_the_names_that_there_are()
    {
        var error = Assert.Throws<ConfigException>(() => LoraTargets.Choose(model, Families.All[0], ["q_porj", "v_proj", "qkv"]));
        Assert.Equal(2, error.Problems.Count);
        Assert.Contains("q_porj matches no trainable linear layer", error.Problems[0], StringComparison.Ordinal);
        Assert.Contains("there are down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj", error.Problems[0], StringComparison.Ordinal);
        const string frozen = "in frozen parts: 0, 2, down_proj, gate_proj, proj, qkv, up_proj; see freeze_vision_tower";
        Assert.Contains(frozen, error.Problems[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("(q_proj", "malformed")]
    [InlineData("nothing.*", "matches no trainable linear layer")]
    public void A_bad_regular_expression_is_refused(string pattern, string reason)
    {
        var error = Assert.Throws<ConfigException>(() => LoraTargets.Choose(model, Families.All[0], [pattern]));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    protected override void Cleanup() => model.Dispose();
}
