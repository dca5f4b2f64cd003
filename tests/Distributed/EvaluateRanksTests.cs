namespace Fovea.Tests.Distributed;

/// <summary>Two processes answer a benchmark as one does: questions shared out, with weights of their own or sharded ones.</summary>
[Trait("Category", "Long")]
public sealed class EvaluateRanksTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Two_ranks_write_the_predictions_of_one(int zero)
    {
        var model = TestFiles.Golden("qwen2_5_vl_tiny/model");
        var config = folder.Write("run.yaml", $"""
            model_name_or_path: {model}
            stage: sft
            finetuning_type: full
            dataset: none.json
            output_dir: {folder["none"]}
            zero: {zero}
            """);
        Run(1, "one");
        var output = Run(2, "two");
        Assert.Equal(File.ReadAllText(folder["one/predictions.jsonl"]), File.ReadAllText(folder["two/predictions.jsonl"]));
        Assert.True(File.Exists(folder["two/answers.rank1.jsonl"]));
        Assert.Single(output.Split("accuracy "), text => text.StartsWith("  ", StringComparison.Ordinal));

        string Run(int processes, string name)
        {
            string[] words =
            [
                "evaluate", "coherence", "--config", config, "--model", model, "--limit", "7", "--max-new-tokens", "5", "--output", folder[name], "--cpu",
            ];
            using var process = FoveaProcess.StartWith(LaunchRun.Variables(("NPROC_PER_NODE", $"{processes}")), words);
            Assert.True(process.Wait() == 0, process.Output + process.Errors);
            return process.Output;
        }
    }

    [Fact]
    public void Several_ranks_need_a_folder()
    {
        string[] words = ["evaluate", "coherence", "--model", TestFiles.Golden("qwen2_5_vl_tiny/model"), "--limit", "2", "--cpu"];
        using var process = FoveaProcess.StartWith(LaunchRun.Variables(("NPROC_PER_NODE", "2")), words);
        Assert.NotEqual(0, process.Wait());
        Assert.Contains("--output is missing", process.Output + process.Errors, StringComparison.Ordinal);
    }
}
