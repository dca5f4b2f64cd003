namespace Fovea.Tests.Distributed;

/// <summary>Groups that fail are started again, until it is hopeless.</summary>
public sealed class LauncherRestartTests
{
    [Fact]
    [Trait("Category", "Long")]
    public void The_whole_group_starts_again_after_a_failure_and_the_code_is_the_last_starts()
    {
        using var run = LaunchRun.Start(2, "--max-restarts", "3", "0:save=begun", "*:print=working", "1@0:signal=9", "*@0:sleep=60");
        Assert.Equal(0, run.Wait());
        Assert.Contains("error: rank 1 on ", run.Process.Errors);
        Assert.Matches(@"\nfovea: restart 1 of 3 in 1 s, from the beginning\n", run.Process.Errors);
        Assert.Equal("working\nworking\n", run.Process.Output);
        Assert.Matches("(?s)start 1\n.*working\n.*start 2\n.*working\n", run.Log(1));
    }

    [Fact]
    [Trait("Category", "Long")]
    public void A_run_that_fails_at_once_again_and_again_is_given_up_with_the_reason()
    {
        using var run = LaunchRun.Start(2, "--max-restarts", "100", "1:exit=5");
        Assert.Equal(5, run.Wait());
        Assert.Contains("error: the run was not started again: 3 starts in a row failed within 60 seconds and saved nothing\n", run.Process.Errors);
        Assert.Equal(3, run.Process.Errors.Split("ended with exit code 5").Length - 1);
    }

    [Fact]
    public void What_is_wrong_with_the_configuration_stays_wrong()
    {
        using var run = LaunchRun.Start(2, "--max-restarts", "100", "1:exit=2");
        Assert.Equal(2, run.Wait());
        Assert.Contains("error: the run was not started again: another start would find the same configuration and data\n", run.Process.Errors);
    }

    [Fact]
    public void A_signal_between_two_starts_ends_the_run()
    {
        using var run = LaunchRun.Start(2, "--max-restarts", "100", "1:exit=1");
        LaunchRun.WaitFor(() => run.Process.Errors.Contains("restart 2 of", StringComparison.Ordinal), () => run.Process.Errors);
        run.Process.Signal("TERM");
        Assert.Equal(1, run.Wait());
        Assert.DoesNotContain("restart 3 of", run.Process.Errors);
    }

    [Fact]
    public void Failures_that_saved_something_or_lasted_do_not_count_as_hopeless()
    {
        var policy = new Launch.RestartPolicy(7);
        var brief = TimeSpan.FromSeconds(5);
        Assert.Equal(1, policy.Next(1, brief, progressed: true).Pause.TotalSeconds);
        Assert.Equal(1, policy.Next(1, brief, progressed: false).Pause.TotalSeconds);
        Assert.Equal(2, policy.Next(1, brief, progressed: false).Pause.TotalSeconds);
        Assert.Null(policy.Next(1, TimeSpan.FromMinutes(5), progressed: false).GiveUp);
        Assert.Null(policy.Next(137, brief, progressed: false).GiveUp);
        Assert.Null(policy.Next(137, brief, progressed: false).GiveUp);
        Assert.Contains("3 starts in a row", policy.Next(137, brief, progressed: false).GiveUp);
        Assert.Equal(6, policy.Count);
        Assert.Contains("max_restarts is 0", new Launch.RestartPolicy(0).Next(1, brief, progressed: true).GiveUp);
    }

    [Fact]
    public void No_more_restarts_than_allowed()
    {
        var policy = new Launch.RestartPolicy(1);
        Assert.Null(policy.Next(1, TimeSpan.FromHours(1), progressed: true).GiveUp);
        Assert.Equal("it was started again 1 time, as often as max_restarts allows", policy.Next(1, TimeSpan.FromHours(1), progressed: true).GiveUp);
    }
}
