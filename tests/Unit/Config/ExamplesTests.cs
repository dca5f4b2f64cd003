using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Config;

public sealed class ExamplesTests
{
    private static readonly string Folder = Path.Combine(TestFiles.Root, "examples");

    public static TheoryData<string> Files() =>
        [.. Directory.EnumerateFiles(Folder, "*.yaml").Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_example_loads(string file)
    {
        var use = file.Contains("merge", StringComparison.Ordinal) ? ConfigUse.Export : ConfigUse.Train;

        var config = TrainConfig.Load(Path.Combine(Folder, file), use: use);
        Assert.NotEmpty(config.Model.ModelNameOrPath);
        Assert.DoesNotContain(config.Notices, notice => KeyNeeds.Keys.Contains(notice.Split(' ')[0].TrimEnd(',')));
    }

    [Theory]
    [InlineData("qwen2_5vl_lora_sft.yaml")]
    [InlineData("qwen2vl_lora_sft.yaml")]
    [InlineData("qwen3vl_lora_sft.yaml")]
    public void The_lora_examples_have_every_key_of_LLaMA_Factorys(string file)
    {
        var theirs = TrainConfig.Load(TestFiles.Golden($"llamafactory_yaml/train_lora/{file}")).ToDictionary();
        var ours = TrainConfig.Load(Path.Combine(Folder, file)).ToDictionary();

        Assert.Empty(theirs.Where(pair => ours[pair.Key] != pair.Value).Select(pair => pair.Key));
    }
}
