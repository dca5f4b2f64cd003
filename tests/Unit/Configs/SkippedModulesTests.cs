using Fovea.Models;
using Fovea.Models.Grids;
using Fovea.Nn.FourBit;

namespace Fovea.Tests.Unit.Configs;

/// <summary>llm_int8_skip_modules by Transformers' rule: the beginning of a module's name as a regular expression, or its end as it is.</summary>
public sealed class SkippedModulesTests : NativeTest
{
    [Theory]
    [InlineData("lm_head", "lm_head", true)]
    [InlineData("lm_head", "visual.blocks.0.mlp.up_proj", false)]
    [InlineData("visual", "visual.blocks.0.mlp.up_proj", true)] // as the files spell it
    [InlineData("model.visual", "visual.blocks.0.mlp.up_proj", true)] // as Transformers does
    [InlineData("model.visual", "model.layers.0.mlp.up_proj", false)]
    [InlineData("up_proj", "model.layers.0.mlp.up_proj", true)]
    [InlineData("mlp", "model.layers.0.mlp.up_proj", false)] // neither the beginning nor the end
    [InlineData(@"model\.language_model\.layers\.[01]\.", "model.layers.1.mlp.up_proj", true)]
    [InlineData(@"model\.language_model\.layers\.[01]\.", "model.layers.11.mlp.up_proj", false)]
    [InlineData(@"layers\.1\.", "model.layers.1.mlp.up_proj", false)] // only from the beginning
    public void An_entry_is_a_beginning_or_an_end(string entry, string module, bool expected) =>
        Assert.Equal(expected, new SkippedModules([entry], FlatNames.Map).Contains(module));

    [Fact]
    public void Entries_that_match_nothing_are_told_and_malformed_ones_refused()
    {
        Assert.Equal(["head", "x"], new SkippedModules(["q_proj", "head", "x"], NameMap.Same).Idle(["model.q_proj", "lm_hea"]));
        var error = Assert.Throws<ConfigException>(() => new SkippedModules(["a(b"], NameMap.Same));
        Assert.Contains("llm_int8_skip_modules: 'a(b'", error.Message);
    }

    [Fact]
    public void A_list_for_others_names_no_more_than_it_must()
    {
        string[] rounded = ["model.layers.0.q_proj", "model.layers.1.q_proj", "model.layers.1.up_proj"];
        Assert.Equal(["model.visual", "lm_head"], SkippedModules.For(["visual.a.b", "visual.c", "lm_head"], rounded, FlatNames.Map));

        // A module whose name is the beginning of another's.
        Assert.Equal([@"m\.layers\.1\.gate$"], SkippedModules.For(["m.layers.1.gate"], ["m.layers.1.gate_proj", "m.layers.0.gate_proj"], NameMap.Same));
    }

    [Fact]
    public void What_stays_in_16_bits_is_told()
    {
        IReadOnlyList<string> Notices(params string[]? skipped)
        {
            var rounding = new FourBitOptions(FourBitType.Nf4, DoubleQuantization: true) { Skipped = skipped };
            using var model = ModelSource.Open(TestFiles.Golden("qwen2_5_vl_tiny/model")).Load(new ModelOptions { FourBit = rounding });
            return model.Notices;
        }

        Assert.Contains("the vision side is not rounded to 4 bits; llm_int8_skip_modules: [lm_head]", Assert.Single(Notices(null)));
        Assert.Empty(Notices("lm_head"));
        var notices = Notices("visual", "nothing_of_it");
        Assert.Equal(2, notices.Count);
        Assert.Contains("nothing_of_it is the beginning or the end of no module's name", notices[0]);
        Assert.Contains("the head is not rounded", notices[1]);
    }
}
