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

        Assert.NotEmpty(TrainConfig.Load(Path.Combine(Folder, file), use: use).Model.ModelNameOrPath);
    }

    [Fact]
    public void The_lora_example_has_every_key_of_LLaMA_Factorys()
    {
        var theirs = TrainConfig.Load(TestFiles.Golden("llamafactory_yaml/train_lora/qwen2_5vl_lora_sft.yaml")).ToDictionary();
        var ours = TrainConfig.Load(Path.Combine(Folder, "qwen2_5vl_lora_sft.yaml")).ToDictionary();

        Assert.Empty(theirs.Where(pair => ours[pair.Key] != pair.Value).Select(pair => pair.Key));
    }
}
