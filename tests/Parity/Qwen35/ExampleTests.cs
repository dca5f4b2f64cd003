using Fovea.Generation;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Tests.Unit.Training;
using Fovea.Training.Config;
using Fovea.Training.Recipes;
using Fovea.Training.Session;

namespace Fovea.Tests.Parity.Qwen35;

/// <summary>The example, with LLaMA-Factory's keys, run on the tiny model; what the template does to runs and prompts.</summary>
public sealed class ExampleTests : NativeTest
{
    private static readonly string Folder = TestFiles.Golden("qwen3_5/model");
    private readonly TempFolder folder = new();

    [Theory]
    [InlineData("qwen3_5_nothink")]
    [InlineData("qwen3_5")]
    [InlineData("qwen3_5", "enable_thinking=null")]
    public void The_example_runs_with_nothing_changed_but_where_things_lie(string template, params string[] more)
    {
        using var seen = new SeenEvents();
        SupervisedFineTune.Run(Config([$"template={template}", "max_steps=2", .. more]), [seen]);
        var adapter = PeftConfig.Read(Path.Combine(folder.Path, "out"));
        var expected = Golden.Json(TestFiles.Golden("qwen3_5/train_lora.json")).GetProperty("settings").GetProperty("lora_on");
        Assert.Equal(
            expected.EnumerateArray().Select(name => name.GetString()!).Order(),
            adapter.TargetModules!.Select(name => name.Split('.')[^1]).Distinct().Order());
        Assert.DoesNotContain(seen.Notices, notice => notice.Contains("thinking", StringComparison.Ordinal));
    }

    [Fact]
    public void A_folder_has_the_reasoning_template_of_itself_unless_its_chat_template_knows_no_thoughts()
    {
        Assert.Equal("qwen3_5", ModelSource.Open(Folder).Process().Template.Name);
        using var other = new ConfigFolder("qwen3_5/model");
        foreach (var name in new[] { "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json" })
        {
            File.Copy(Path.Combine(Folder, name), Path.Combine(other.Path, name), overwrite: true);
        }

        File.WriteAllText(Path.Combine(other.Path, "chat_template.jinja"), "{{ message.content }}");
        Assert.Equal("qwen3_5_nothink", ModelSource.Open(other.Path).Process().Template.Name);
        File.WriteAllText(Path.Combine(other.Path, "chat_template.jinja"), "{% if '</think>' in message.content %}{% endif %}");
        Assert.Equal("qwen3_5", ModelSource.Open(other.Path).Process().Template.Name);
    }

    [Theory]
    [InlineData("enable_thinking=true", "<|im_start|>assistant\n")]
    [InlineData("enable_thinking=false", "<|im_start|>assistant\n<think>\n\n</think>\n\n")]
    [InlineData("enable_thinking=null", "<|im_start|>assistant\n<think>\n\n</think>\n\n")]
    public void Questions_are_asked_with_the_configuration_s_way_of_thinking(string key, string end)
    {
        var setup = DataSetup.From(Config(["template=qwen3_5", key]), ModelSource.Open(Folder));
        var prompts = new PromptBuilder(setup.Tokenizer, setup.Template, setup.Images, setup.Options);
        Assert.EndsWith(end, setup.Tokenizer.Decode(prompts.Ids(new Conversation([Message.User("Q")]))), StringComparison.Ordinal);
    }

    protected override void Cleanup() => folder.Dispose();

    private TrainConfig Config(string[] overrides) => TrainConfig.Load(
        Path.Combine(TestFiles.Root, "examples", "qwen3_5_lora_sft.yaml"),
        [
            $"model_name_or_path={Folder}", "dataset=train", $"dataset_dir={TestFiles.Golden("qwen3_5/data")}", $"output_dir={folder.Path}/out",
            "vision_cache_dir=none", .. overrides,
        ]);
}
