using Fovea.Tests.Unit.Robustness;

namespace Fovea.Tests.Distributed;

/// <summary>Training under the launcher goes the way of a single process.</summary>
[Trait("Category", "Long")]
public sealed class LaunchedTrainingTests : IDisposable
{
    // Steps enough to be hit on the way also by a test that comes late.
    private const string Longer = "max_steps=24";

    private readonly TinyRun run = new();

    [Fact]
    public void A_rank_killed_within_a_step_is_started_again_from_its_last_checkpoint_and_ends_bitwise_the_same()
    {
        var (plain, _, trouble) = FoveaProcess.Run(run.Train("whole", Longer));
        Assert.True(plain == 0, trouble);
        using var process = Start("killed", Longer, "max_restarts=2");
        Assert.True(process.WaitUntil(() => Checkpoints("killed").Length >= 2), process.Errors);
        LaunchRun.Signal(Assert.Single(LaunchRun.Children(process.Id)), "KILL");
        Assert.True(process.Wait() == 0, process.Errors);
        Assert.Matches("error: rank 0 on .* was killed by SIGKILL", process.Errors);
        Assert.Matches(@"fovea: restart 1 of 2 in 1 s, from checkpoint-\d+\n", process.Errors);
        Assert.Matches(@"going on after \d+", process.Output);
        Assert.Equal(run.Losses("whole"), run.Losses("killed"));
        Assert.Equal(run.Adapter("whole"), run.Adapter("killed"));
    }

    [Fact]
    public void A_run_that_died_before_its_first_checkpoint_begins_anew()
    {
        using var process = Start("early", Longer, "max_restarts=1", "save_steps=500");
        Assert.True(process.WaitUntil(() => File.Exists(Path.Combine(run.Out("early"), "trainer_log.jsonl"))), process.Errors);
        LaunchRun.Signal(Assert.Single(LaunchRun.Children(process.Id)), "KILL");
        Assert.True(process.Wait() == 0, process.Errors);
        Assert.Contains("from the beginning: no checkpoint was saved yet\n", process.Errors);
        Assert.Equal(24, run.Losses("early").Length);
        Assert.Contains("start 2\n", File.ReadAllText(Path.Combine(run.Out("early"), "logs", "rank_0.log")));
    }

    [Fact]
    public void SIGTERM_at_the_launcher_saves_a_checkpoint_and_tells_the_way_on()
    {
        using var process = Start("stopped", "max_steps=500", "save_steps=500");
        Assert.True(process.WaitUntil(() => File.Exists(Path.Combine(run.Out("stopped"), "trainer_log.jsonl"))), process.Errors);
        process.Signal("TERM");
        Assert.Equal(130, process.Wait());
        Assert.Single(Checkpoints("stopped"));
        Assert.Contains("resume_from_checkpoint=", process.Output);
        Assert.DoesNotContain("error:", process.Errors);
    }

    [Fact]
    public void A_configuration_that_cannot_be_used_is_told_once_before_anything_starts()
    {
        using var process = Start("wrong", "lora_rank=-1");
        Assert.Equal(2, process.Wait());
        Assert.Matches("^error: [^\n]*lora_rank[^\n]*\n$", process.Errors);
    }

    public void Dispose() => run.Dispose();

    private FoveaProcess Start(string name, params ReadOnlySpan<string> overrides) =>
        FoveaProcess.StartWith(LaunchRun.Variables(("FORCE_TORCHRUN", "1")), run.Train(name, overrides));

    private string[] Checkpoints(string name) => Directory.Exists(run.Out(name)) ? Directory.GetDirectories(run.Out(name), "checkpoint-*") : [];
}
