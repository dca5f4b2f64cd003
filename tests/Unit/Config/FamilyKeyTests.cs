using Fovea.Models;
using Fovea.Models.MiniCpmV;
using Fovea.Models.MiniMindV;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Config;

/// <summary>Keys that one model family declares.</summary>
public sealed class FamilyKeyTests
{
    private static readonly ModelFamily Qwen = Families.All[0];

    [Fact]
    public void A_family_finds_its_own_keys_and_defaults_where_none_was_written()
    {
        var config = Parse("label_mask: original\nempty_think_ratio: 0.5\nmax_slice_nums: 4");
        var mini = Assert.IsType<MiniMindVOptions>(config.Family.Of(new MiniMindVFamily()));
        Assert.Equal((LabelMask.Original, 0.5, MoeAuxiliary.Tokens), (mini.LabelMask, mini.EmptyThinkRatio, mini.MoeAux));
        Assert.Equal(4, Assert.IsType<MiniCpmVOptions>(config.Family.Of(new MiniCpmVFamily())).MaxSliceNums);
        Assert.Equal(FamilyOptions.None, config.Family.Of(Qwen));

        // What one configuration says is not said in the next.
        Assert.Equal(new MiniMindVOptions(), Parse("seed: 1").Family.Of(new MiniMindVFamily()));
    }

    [Fact]
    public void A_key_of_another_family_is_reported_as_ignored_or_refused()
    {
        Assert.Empty(Parse("label_mask: original").Family.Check(new MiniMindVFamily()));
        Assert.Equal(
            "label_mask is ignored: it is for MiniMind-V, this model is qwen2_5_vl", Assert.Single(Parse("label_mask: original").Family.Check(Qwen)));
        var e = Assert.Throws<ConfigException>(() => Parse("llm_type: qwen\nmax_slice_nums: 4").Family.Check(Qwen));
        Assert.Equal("llm_type and max_slice_nums are for MiniCPM-V; this model is qwen2_5_vl", e.Message);
        Assert.Empty(Parse("llm_type: null").Family.Check(Qwen));
    }

    [Fact]
    public void Bounds_and_paths_of_such_keys_are_checked_as_any_others()
    {
        var e = Assert.Throws<ConfigException>(() => Parse("max_slice_nums: 0\nempty_think_ratio: 2"));
        Assert.Equal(2, e.Problems.Count);
        var config = Parse("system_prompts: ~/prompts.txt");
        Assert.DoesNotContain('~', ((MiniMindVOptions)config.Family.Of(new MiniMindVFamily())).SystemPrompts!);
    }

    private static TrainConfig Parse(string lines) => TrainConfig.Parse($"model_name_or_path: m\ndataset: d\noutput_dir: o\n{lines}", "test");
}
