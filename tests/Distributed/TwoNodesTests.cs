using System.Diagnostics;

namespace Fovea.Tests.Distributed;

/// <summary>Two launchers in two network namespaces, joined by a cable: two machines to each other.</summary>
[Trait("Category", "Long")]
public sealed class TwoNodesTests : IDisposable
{
    private readonly TwoNodes nodes = new();
    private readonly List<LaunchRun> runs = [];

    [Fact]
    public void The_ranks_of_two_nodes_meet_and_are_numbered_throughout()
    {
        Start("*:variables", "*:meet=0.3");
        Assert.Equal([0, 0], runs.Select(run => run.Wait()));
        Assert.Contains("RANK=0 WORLD_SIZE=4 LOCAL_RANK=0 LOCAL_WORLD_SIZE=2 MASTER_ADDR=10.77.0.1 MASTER_PORT=29500", runs[0].Process.Output);
        Assert.Contains("all 4 ranks met", runs[0].Process.Output);
        Assert.Contains("starting 2 processes on node 1 of 2, meeting at 10.77.0.1:29500; ranks 2 to 3 print into ", runs[1].Process.Errors);
        Assert.Contains("RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 ", runs[1].Log(3));
    }

    [Fact]
    public void A_rank_killed_on_one_node_ends_both()
    {
        Start("0:save=begun", "2:save=begun", "*:meet=60");
        LaunchRun.WaitFor(() => runs[0].Process.Output.Contains("met", StringComparison.Ordinal) && runs[1].Ranks.Length == 2, () => runs[0].Process.Errors);
        var (watch, victim) = (Stopwatch.StartNew(), runs[1].Ranks[1]);
        LaunchRun.Signal(victim, "KILL");
        Assert.Equal([1, 137], runs.Select(run => run.Wait()));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"{watch.Elapsed}");
        Assert.Matches($@"error: rank [23] on \S+ \(process {victim}\) was killed by SIGKILL", runs[1].Process.Errors);
        // There nothing is known of the cause but that the connection is gone.
        Assert.Contains("connection closed by another rank", runs[0].Process.Errors);
        Assert.Matches("error: rank [01] on ", runs[0].Process.Errors);
    }

    [Fact]
    public void A_launcher_killed_on_one_node_ends_both()
    {
        Start("*:meet=60");
        LaunchRun.WaitFor(() => runs[0].Process.Output.Contains("met", StringComparison.Ordinal), () => runs[0].Process.Errors);
        runs[1].Process.Kill();
        Assert.Equal(1, runs[0].Wait());
    }

    [Fact]
    public void A_node_that_is_cut_off_ends_by_its_own_time_limit()
    {
        Start("*:meet=1");
        LaunchRun.WaitFor(() => runs[0].Process.Output.Contains("met", StringComparison.Ordinal), () => runs[0].Process.Errors);
        nodes.Cut(1);
        Assert.Equal(1, runs[1].Wait());
        Assert.Matches("error: rank [23] on ", runs[1].Process.Errors);
    }

    public void Dispose()
    {
        runs.ForEach(run => run.Dispose());
        nodes.Dispose();
    }

    private void Start(params string[] actions)
    {
        nodes.Require();
        for (var i = 0; i < 2; i++)
        {
            runs.Add(LaunchRun.Start(TwoNodes.Variables(i, processes: 2), actions, nodes.On(i)));
        }
    }
}
