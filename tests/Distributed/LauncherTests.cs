using System.Net;
using System.Net.Sockets;

namespace Fovea.Tests.Distributed;

/// <summary>Ranks are started, told apart, looked after and ended together.</summary>
public sealed class LauncherTests
{
    // The logs lie in the run's folder once the run has written there.
    private const string Begin = "0:save=begun";

    [Fact]
    public void Every_rank_gets_its_variables_and_its_share_of_the_processors()
    {
        using var run = LaunchRun.Start([("NPROC_PER_NODE", "2"), ("OMP_NUM_THREADS", "8"), ("FOVEA_THREADS", "8")], [Begin, "*:variables"]);
        Assert.Equal(0, run.Wait());
        Assert.Matches(@"^RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 LOCAL_WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=\d+ OMP_NUM_THREADS=4\n$", run.Process.Output);
        Assert.Contains(run.Process.Output.Replace("RANK=0", "RANK=1").Trim(), run.Log(1));
    }

    [Fact]
    public void Threads_that_the_user_chose_are_left()
    {
        using var run = LaunchRun.Start([("NPROC_PER_NODE", "2"), ("OMP_NUM_THREADS", "3"), ("FOVEA_THREADS", null)], ["*:variables"]);
        Assert.Equal(0, run.Wait());
        Assert.Contains("OMP_NUM_THREADS=3", run.Process.Output);
    }

    [Fact]
    public void Rank_0_prints_here_and_the_others_into_their_logs_with_their_errors_shown()
    {
        using var run = LaunchRun.Start(3, Begin, "*:print=a word", "1:error=a worry", "0:error=my own");
        Assert.Equal(0, run.Wait());
        Assert.Equal("a word\n", run.Process.Output);
        Assert.Contains("\n[rank 1] a worry\n", run.Process.Errors);
        Assert.Contains("\nmy own\n", run.Process.Errors);

        // Two pipes: each line is whole, and which of them comes first is chance.
        Assert.Contains("\na word\n", run.Log(1));
        Assert.Contains("\na worry\n", run.Log(1));
        Assert.Contains("rank 2 of 3 on ", run.Log(2));
        Assert.DoesNotContain("a worry", run.Log(2));
    }

    [Theory]
    [InlineData("*:error=error: too many heads")]
    [InlineData("0:sleep=0.3", "*:error=error: too many heads")]
    [InlineData("0:sleep=0.3", "*:error=error: too many heads", "*:error=error: too few rows")]
    public void An_error_that_all_ranks_have_is_printed_once(params string[] actions)
    {
        using var run = LaunchRun.Start(3, [.. actions, "*:exit=2"]);
        Assert.Equal(2, run.Wait());
        var expected = actions.Where(action => action.StartsWith('*')).Select(action => action["*:error=".Length..]);
        Assert.Equal(expected, run.Process.Errors.Split('\n').Where(line => line.Contains("error: ", StringComparison.Ordinal)));
    }

    [Fact]
    public void An_error_of_some_ranks_is_named_by_one_of_them_and_by_the_launcher_without_saying_it_again()
    {
        using var run = LaunchRun.Start(3, Begin, "1:error=error: no such image", "1:print=a word", "1:exit=2", "*:sleep=60");
        Assert.Equal(2, run.Wait());
        Assert.Contains("\n[rank 1] error: no such image\n", run.Process.Errors);
        Assert.Matches("error: rank 1 on .* ended with exit code 2 after .*; the other ranks were ended", run.Process.Errors);
        Assert.Single(run.Process.Errors.Split('\n'), line => line.Contains("no such image", StringComparison.Ordinal));
        Assert.Contains("rank_1.log:\n    a word", run.Process.Errors);
    }

    [Fact]
    public void One_that_fails_ends_all_with_its_code_and_one_message()
    {
        using var run = LaunchRun.Start(3, Begin, "1:sleep=0.2", "1:error=no such image", "1:exit=3", "*:sleep=60");
        LaunchRun.WaitFor(() => run.Process.Errors.Contains("no such image", StringComparison.Ordinal), () => run.Process.Errors);
        Assert.Equal(3, run.WaitBriefly());
        Assert.Matches(@"error: rank 1 on \S+ \(process \d+\) ended with exit code 3 after [\d.]+ s; the other ranks were ended\n", run.Process.Errors);
        Assert.Contains($"the end of {run.Folder}/logs/rank_1.log:\n    no such image", run.Process.Errors);
        Assert.Single(run.Process.Errors.Split('\n'), line => line.StartsWith("error:", StringComparison.Ordinal));
    }

    [Fact]
    public void The_exit_code_is_the_worst_ranks_and_a_killed_one_is_named_before_those_that_missed_it()
    {
        // Who fails first leaves the others two seconds, so they begin together.
        using var run = LaunchRun.Start(
            3, "0:save=a", "1:save=b", "2:save=c", "*:await=a", "*:await=b", "*:await=c", "0:exit=1", "1:sleep=0.3", "1:signal=9", "2:sleep=0.2", "2:exit=4");
        Assert.Equal(137, run.Wait());
        Assert.Matches("error: rank 1 on .* was killed by SIGKILL", run.Process.Errors);
    }

    [Fact]
    public void A_rank_killed_from_outside_ends_the_run_although_another_one_is_stopped()
    {
        using var run = LaunchRun.Start(3, Begin, "*:obey=60");
        run.WaitUntilReady(3);
        var ranks = run.Ranks;
        Assert.Equal(3, ranks.Length);
        LaunchRun.Signal(ranks[0], "STOP");
        LaunchRun.Signal(ranks[1], "KILL");
        Assert.Equal(137, run.WaitBriefly());
        Assert.Matches($@"error: rank \d on \S+ \(process {ranks[1]}\) was killed by SIGKILL", run.Process.Errors);
        Assert.DoesNotContain(ranks, LaunchRun.Lives);
    }

    [Fact]
    public void No_rank_outlives_a_launcher_that_was_killed()
    {
        using var run = LaunchRun.Start(3, Begin, "*:deaf", "*:obey=60");
        run.WaitUntilReady(3);
        var ranks = run.Ranks;
        Assert.Equal(3, ranks.Length);
        run.Process.Kill();
        LaunchRun.WaitFor(() => !ranks.Any(LaunchRun.Lives), () => $"still alive: {string.Join(' ', ranks.Where(LaunchRun.Lives))}");
    }

    [Fact]
    public void A_launcher_killed_while_it_starts_ranks_leaves_none()
    {
        using var run = LaunchRun.Start(4, "*:sleep=60");
        LaunchRun.WaitFor(() => run.Ranks.Length > 0, () => run.Process.Errors);
        var ranks = run.Ranks;
        run.Process.Kill();
        LaunchRun.WaitFor(() => !ranks.Any(LaunchRun.Lives), () => $"still alive: {string.Join(' ', ranks.Where(LaunchRun.Lives))}");
    }

    [Fact]
    public void A_rank_whose_launcher_is_gone_does_not_begin()
    {
        using var rank = FoveaProcess.StartWith(LaunchRun.Variables(("FOVEA_LAUNCHER", "1999999999")), ["probe", "launch-check", "*:print=begun"]);
        Assert.Equal(137, rank.Wait());
        Assert.Equal(string.Empty, rank.Output);
    }

    [Fact]
    public void SIGTERM_reaches_every_rank_and_all_have_time_to_save()
    {
        using var run = LaunchRun.Start(2, Begin, "*:obey=0.5", "*:print=not reached");
        run.WaitUntilReady(2);
        run.Process.Signal("TERM");
        Assert.Equal(130, run.Wait());
        Assert.Contains("saving", run.Process.Output);
        Assert.Contains("saving", run.Log(1));
        Assert.DoesNotContain("error:", run.Process.Errors);
    }

    [Fact]
    public void One_rank_that_is_asked_to_stop_stops_all()
    {
        using var run = LaunchRun.Start(2, Begin, "*:obey=0.1");
        run.WaitUntilReady(2);
        LaunchRun.Signal(run.Ranks[1], "TERM");
        Assert.Equal(130, run.Wait());
    }

    [Fact]
    [Trait("Category", "Long")]
    public void A_rank_that_does_not_stop_is_killed_and_named()
    {
        using var run = LaunchRun.Start(2, Begin, "--grace", "3", "1:deaf", "1:print=ready", "1:sleep=60", "0:obey=0");
        run.WaitUntilReady(2);
        run.Process.Signal("INT");
        Assert.Equal(137, run.Wait());
        Assert.Contains("error: rank 1 did not end within 3 seconds of the request to stop, and was killed\n", run.Process.Errors);
    }

    [Fact]
    public void Ctrl_C_at_a_terminal_which_reaches_every_process_stops_once()
    {
        // A group of its own, as a shell makes one of every command.
        using var run = LaunchRun.Start([("NPROC_PER_NODE", "2")], [Begin, "*:obey=0.5"], "setsid");
        run.WaitUntilReady(2);
        LaunchRun.Signal(-run.Process.Id, "INT");
        Assert.Equal(130, run.Wait());
        Assert.Contains("saving", run.Process.Output);
        Assert.Contains("saving", run.Log(1));
    }

    [Fact]
    public void A_second_signal_ends_all_at_once()
    {
        using var run = LaunchRun.Start(2, Begin, "*:obey=60");
        run.WaitUntilReady(2);
        run.Process.Signal("INT");
        LaunchRun.WaitFor(() => run.Log(1).Contains("saving", StringComparison.Ordinal), () => run.Log(1));
        run.Process.Signal("INT");
        Assert.Equal(130, run.WaitBriefly());
    }

    [Fact]
    public void A_port_that_is_in_use_is_named_before_anything_starts()
    {
        using var other = new TcpListener(IPAddress.Any, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;
        using var run = LaunchRun.Start([("NPROC_PER_NODE", "2"), ("MASTER_PORT", $"{port}")], ["*:print=begun"]);
        Assert.Equal(2, run.Wait());
        Assert.StartsWith($"error: MASTER_PORT is {port}: it is in use on this machine; ", run.Process.Errors);
        Assert.Equal(string.Empty, run.Process.Output);
    }

    [Fact]
    public void A_chosen_port_that_another_program_takes_is_chosen_again()
    {
        using var run = LaunchRun.Start(2, "*:variables", "0:error=EADDRINUSE", "0:exit=1", "1:exit=1");
        Assert.Equal(1, run.Wait());
        var ports = run.Process.Output.Split('\n').Where(line => line.Length > 0).Select(line => line.Split("MASTER_PORT=")[1]).ToList();
        Assert.Equal(5, ports.Count);
        Assert.True(ports.Distinct().Count() > 1);
        Assert.Equal(4, run.Process.Errors.Split("trying another one").Length - 1);
    }

    [Fact]
    public void Ranks_of_one_machine_meet_at_the_chosen_port()
    {
        using var run = LaunchRun.Start(4, "*:meet=0.2");
        Assert.Equal(0, run.Wait());
        Assert.Equal("all 4 ranks met\n", run.Process.Output);
    }

    [Fact]
    public void A_process_that_torchrun_started_is_a_rank_and_starts_none()
    {
        using var run = LaunchRun.Start(
            [
                ("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1"), ("LOCAL_WORLD_SIZE", "4"), ("MASTER_ADDR", "node0"), ("MASTER_PORT", "29400"),
                ("FORCE_TORCHRUN", "1"), ("NPROC_PER_NODE", "4"),
            ],
            ["*:variables"]);
        Assert.Equal(0, run.Wait());
        Assert.StartsWith("RANK=5 WORLD_SIZE=8 LOCAL_RANK=1 LOCAL_WORLD_SIZE=4 MASTER_ADDR=node0 MASTER_PORT=29400 ", run.Process.Output);
        Assert.Equal(string.Empty, run.Process.Errors);
    }

    [Fact]
    public void Slurms_tasks_are_ranks()
    {
        using var run = LaunchRun.Start(
            [
                ("SLURM_PROCID", "3"), ("SLURM_NTASKS", "4"), ("SLURM_LOCALID", "1"), ("SLURM_NODEID", "1"), ("SLURM_NNODES", "2"),
                ("SLURM_TASKS_PER_NODE", "2(x2)"), ("SLURM_NODELIST", "gpu[07,09]"), ("SLURM_JOB_ID", "1000"), ("SLURM_STEP_ID", "2"),
            ],
            ["*:variables"]);
        Assert.Equal(0, run.Wait());
        Assert.StartsWith("RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 LOCAL_WORLD_SIZE=2 MASTER_ADDR=gpu07 MASTER_PORT=22002 ", run.Process.Output);
    }
}
