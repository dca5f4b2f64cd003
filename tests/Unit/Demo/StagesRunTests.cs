using Fovea.Cli.Demo;

namespace Fovea.Tests.Unit.Demo;

/// <summary>The demonstration of both stages from beginning to end, so small that nothing is learnt; what it learns is shown by the command itself.</summary>
public sealed class StagesRunTests : NativeTest
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-stages").FullName;

    [Fact]
    public void Both_stages_run_and_leave_the_projects_own_files()
    {
        var options = new DemoOptions
        {
            Output = Path.Combine(folder, "demo"), Pictures = 40, FruitPictures = 8, HeldOut = 2, BaseEpochs = 1, AdapterEpochs = 1, BatchSize = 20,
        };
        using var output = new StringWriter();
        var results = new StagesRun(options, output, () => [], CancellationToken.None).Run();
        Assert.Equal(2, results.Count);
        Assert.True(File.Exists(Path.Combine(options.Output, "blank", "llm_128.pth")));
        Assert.True(File.Exists(Path.Combine(options.Output, "base", "pretrain_vlm_128.pth")));
        Assert.True(File.Exists(Path.Combine(options.Output, "adapter", "sft_vlm_128.pth")));
        Assert.Contains("4/4 fine-tuning", output.ToString());
        Assert.Contains("What is it?", output.ToString());
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);
}
