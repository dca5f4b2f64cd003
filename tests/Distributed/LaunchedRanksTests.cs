using System.Diagnostics;
using Fovea.Tests.Unit.Robustness;

namespace Fovea.Tests.Distributed;

/// <summary>Several ranks that train together under the launcher, and what becomes of them when one is lost.</summary>
[Trait("Category", "Long")]
public sealed class LaunchedRanksTests : IDisposable
{
    private readonly TinyRun run = new();
    private readonly List<FoveaProcess> processes = [];

    [Theory]
    [InlineData(0, false)]
    [InlineData(3, true)]
    public void A_rank_killed_within_a_step_or_a_checkpoint_costs_no_more_than_the_steps_since_the_last_one(int zero, bool whileSaving)
    {
        // With zero: 3 the images of a micro-batch share a pass of the tower, and what is remembered of an image depends on the others in its last bit.
        var cache = zero < 3 ? "auto" : "false";
        string[] both = [$"zero={zero}", "save_steps=2", "max_steps=20", "gradient_accumulation_steps=2", $"cache_vision_features={cache}"];
        Assert.True(Start("whole", both).Wait() == 0, processes[0].Errors);
        var hit = Start("killed", ["max_restarts=2", .. both]);
        Assert.True(hit.WaitUntil(() => whileSaving ? Partial("killed") && Checkpoints("killed") > 0 : Checkpoints("killed") > 1), hit.Errors);
        LaunchRun.Signal(LaunchRun.Children(hit.Id)[1], "KILL");
        Assert.True(hit.Wait() == 0, hit.Errors);
        Assert.Matches("error: rank 1 on .* was killed by SIGKILL", hit.Errors);
        Assert.Matches(@"fovea: restart 1 of 2 in 1 s, from checkpoint-\d+\n", hit.Errors);
        Assert.Equal(run.Losses("whole"), run.Losses("killed"));
        Assert.Equal(run.Adapter("whole"), run.Adapter("killed"));
        Assert.False(Partial("killed"));
    }

    [Fact]
    public void A_rank_that_hangs_ends_the_run_after_the_timeout_with_its_name()
    {
        var hit = Start("stopped", ["zero=2", "ddp_timeout=8", "max_steps=5000", "num_train_epochs=5000", "save_strategy=no"]);
        Assert.True(hit.WaitUntil(() => File.Exists(Path.Combine(run.Out("stopped"), "trainer_log.jsonl"))), hit.Errors);
        var ranks = LaunchRun.Children(hit.Id);
        LaunchRun.Signal(ranks[1], "STOP");
        var watch = Stopwatch.StartNew();
        Assert.NotEqual(0, hit.Wait());
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(30), $"{watch.Elapsed}");
        Assert.Matches("error: rank 1 on ", hit.Errors);
        Assert.All(ranks, rank => Assert.False(LaunchRun.Lives(rank)));
    }

    [Fact]
    public void Two_nodes_train_as_one_and_a_cut_cable_ends_both()
    {
        using var nodes = new TwoNodes();
        nodes.Require();
        Assert.True(Start("one", ["gradient_accumulation_steps=4"], ranks: 1).Wait() == 0, processes[0].Errors);
        var together = StartOn(nodes, "two", "zero=3", "gradient_accumulation_steps=2", "ddp_timeout=60");
        Assert.All(together, node => Assert.True(node.Wait() == 0, node.Errors));
        var (one, two) = (run.Losses("one"), run.Losses("two"));
        Assert.Equal(one.Length, two.Length);
        Assert.All(one.Zip(two), pair => Assert.Equal(pair.First, pair.Second, 1e-5));

        var cut = StartOn(nodes, "cut", "zero=3", "ddp_timeout=4", "max_steps=5000", "num_train_epochs=5000", "save_strategy=no");
        Assert.True(cut[0].WaitUntil(() => File.Exists(Path.Combine(run.Out("cut"), "trainer_log.jsonl"))), cut[0].Errors);
        nodes.Cut(1);
        var watch = Stopwatch.StartNew();
        Assert.All(cut, node => Assert.NotEqual(0, node.Wait()));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), $"{watch.Elapsed}");
        Assert.All(cut, node => Assert.Matches("error: rank [01] on ", node.Errors));
    }

    public void Dispose()
    {
        processes.ForEach(process => process.Dispose());
        run.Dispose();
    }

    private FoveaProcess Start(string name, string[] overrides, int ranks = 2)
    {
        var process = FoveaProcess.StartWith(LaunchRun.Variables(("NPROC_PER_NODE", $"{ranks}")), run.Train(name, overrides));
        processes.Add(process);
        return process;
    }

    private FoveaProcess[] StartOn(TwoNodes nodes, string name, params string[] overrides)
    {
        var both = Enumerable.Range(0, 2)
            .Select(i => FoveaProcess.StartWith(LaunchRun.Variables(TwoNodes.Variables(i, processes: 1)), run.Train(name, overrides), nodes.On(i)))
            .ToArray();
        processes.AddRange(both);
        return both;
    }

    private int Checkpoints(string name) => Folders(name, "checkpoint-*");

    private bool Partial(string name) => Folders(name, ".checkpoint-*") > 0;

    private int Folders(string name, string pattern) =>
        Directory.Exists(run.Out(name)) ? Directory.GetDirectories(run.Out(name), pattern).Length : 0;
}
