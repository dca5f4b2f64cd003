using Fovea.Generation;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Tests.Unit.Training;
using Fovea.Training.Config;
using Fovea.Training.Recipes;
using Fovea.Training.Session;

namespace Fovea.Tests.Parity.Qwen3Vl;

/// <summary>LLaMA-Factory's own Qwen3-VL example, run on the tiny model; what the template does to runs and prompts.</summary>
public sealed class ExampleTests : NativeTest
{
    private static readonly string Folder = TestFiles.Golden("qwen3_vl/model");
    private readonly TempFolder folder = new();

    [Theory]
    [InlineData("qwen3_vl_nothink")]
    [InlineData("qwen3_vl")]
    [InlineData("qwen3_vl", "enable_thinking=null")]
    public void The_example_runs_with_nothing_changed_but_where_things_lie(string template, params string[] more)
    {
        using var seen = new SeenEvents();
        SupervisedFineTune.Run(Config([$"template={template}", "max_steps=2", .. more]), [seen]);
        var adapter = PeftConfig.Read(Path.Combine(folder.Path, "out"));
        var expected = Golden.Json(TestFiles.Golden("qwen3_vl/train_lora.json")).GetProperty("settings").GetProperty("lora_on");
        Assert.Equal(
            expected.EnumerateArray().Select(name => name.GetString()!).Order(),
            adapter.TargetModules!.Select(name => name.Split('.')[^1]).Distinct().Order());
        Assert.DoesNotContain(seen.Notices, notice => notice.Contains("thinking", StringComparison.Ordinal));
    }

    [Fact]
    public void A_folder_whose_chat_template_thinks_has_the_reasoning_template_of_itself()
    {
        Assert.Equal("qwen3_vl_nothink", ModelSource.Open(Folder).Process().Template.Name);
        using var thinking = new ConfigFolder("qwen3_vl/model");
        foreach (var name in new[] { "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json" })
        {
            File.Copy(Path.Combine(Folder, name), Path.Combine(thinking.Path, name), overwrite: true);
        }

        File.WriteAllText(Path.Combine(thinking.Path, "chat_template.jinja"), "{% if '</think>' in message.content %}{% endif %}");
        Assert.Equal("qwen3_vl", ModelSource.Open(thinking.Path).Process().Template.Name);
    }

    [Theory]
    [InlineData("enable_thinking=true", "<|im_start|>assistant\n")]
    [InlineData("enable_thinking=false", "<|im_start|>assistant\n<think>\n\n</think>\n\n")]
    [InlineData("enable_thinking=null", "<|im_start|>assistant\n<think>\n\n</think>\n\n")]
    public void Questions_are_asked_with_the_configuration_s_way_of_thinking(string key, string end)
    {
        var setup = DataSetup.From(Config(["template=qwen3_vl", key]), ModelSource.Open(Folder));
        var prompts = new PromptBuilder(setup.Tokenizer, setup.Template, setup.Images, setup.Options);
        Assert.EndsWith(end, setup.Tokenizer.Decode(prompts.Ids(new Conversation([Message.User("Q")]))), StringComparison.Ordinal);
    }

    protected override void Cleanup() => folder.Dispose();

    private TrainConfig Config(string[] overrides) => TrainConfig.Load(
        Path.Combine(TestFiles.Root, "examples", "qwen3vl_lora_sft.yaml"),
        [
            $"model_name_or_path={Folder}", "dataset=train", $"dataset_dir={TestFiles.Golden("qwen3_vl/data")}", $"output_dir={folder.Path}/out",
            "vision_cache_dir=none", .. overrides,
        ]);
}
