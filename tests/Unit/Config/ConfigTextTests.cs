using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Config;

/// <summary>A configuration that a run writes down reads back to the same.</summary>
public sealed class ConfigTextTests
{
    public static TheoryData<string> Examples =>
        [.. Directory.EnumerateFiles(Path.Combine(TestFiles.Root, "examples"), "*.yaml").Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Examples))]
    public void Every_example_reads_back_to_the_same(string name)
    {
        Same(TrainConfig.Load(Path.Combine(TestFiles.Root, "examples", name), use: ConfigUse.Any));
    }

    [Fact]
    public void Odd_values_read_back_to_the_same()
    {
        var config = TrainConfig.Parse("""
            model_name_or_path: "a: b # c \"d\" \\ e\nf"
            dataset: ["null", "a b", ../x.json, "é漢🙂"]
            output_dir: "true"
            run_name: "123"
            default_system: ''
            enable_thinking: null
            learning_rate: 1e-5
            logging_steps: 0.25
            save_steps: 7
            lora_alpha: 1.5e-7
            lora_target: ^model\..*(q|v)_proj$
            """, "odd.yaml", use: ConfigUse.Any);
        var text = Same(config);
        Assert.Contains("learning_rate: 1.0E-05\n", text, StringComparison.Ordinal); // a number to PyYAML, too
        Assert.Contains("output_dir: \"true\"\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("seed", text, StringComparison.Ordinal);
    }

    private static string Same(TrainConfig config)
    {
        var text = ConfigText.Of(config);
        var again = TrainConfig.Parse(text, "training_args.yaml", use: ConfigUse.Any);
        Assert.Equal(config.ToDictionary(), again.ToDictionary());
        return text;
    }
}
