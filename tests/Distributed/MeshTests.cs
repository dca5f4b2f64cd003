using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fovea.Distributed;
using Fovea.Tests.Unit.Robustness;

namespace Fovea.Tests.Distributed;

/// <summary>What ranks do together, what goes over the wire, and what is said when one of them is gone.</summary>
public sealed partial class MeshTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Collectives_are_right_and_send_what_theory_says(int ranks)
    {
        var group = RankGroup.Run(ranks, "probe", "mesh", "--mib", "4");
        var lines = Line().Matches(group[0].Output);
        Assert.Equal(8, lines.Count);
        Assert.All(lines, line =>
        {
            var theory = double.Parse(line.Groups["theory"].Value, CultureInfo.InvariantCulture);
            var wire = double.Parse(line.Groups["wire"].Value, CultureInfo.InvariantCulture);
            Assert.InRange(wire / theory, 0.99, 1.1);
        });
    }

    [Theory]
    [InlineData("KILL", 1, "rank 1 on .* died or was stopped")]
    [InlineData("KILL", 0, "rank 0 on .* is gone")]
    [InlineData("STOP", 1, "rank 1 on .* (has shown no life for 3 s|died or was stopped)")]
    [InlineData("STOP", 0, "rank 0 on .* has not answered for 3 s")]
    [Trait("Category", "Long")]
    public void A_rank_that_dies_or_hangs_is_named_by_the_others(string signal, int victim, string words)
    {
        using var group = RankGroup.Start(2, "probe", "mesh", "--mib", "0.1", "--seconds", "60", "--timeout", "3");
        Assert.True(group[0].WaitUntil(() => group[0].Output.Contains("broadcast BF16", StringComparison.Ordinal)), group[0].Errors);
        group[victim].Signal(signal);
        var other = group[1 - victim];
        Assert.Equal(1, other.Wait());
        Assert.Matches($"(?m)^error: {words}", other.Errors);
    }

    [Fact]
    [Trait("Category", "Long")]
    public void A_rank_that_lives_but_does_not_come_along_is_named_after_the_timeout()
    {
        using var group = RankGroup.Start(3, "probe", "mesh", "--mib", "0.1", "--seconds", "30", "--timeout", "2", "--late", "1");
        foreach (var rank in new[] { 0, 2 })
        {
            Assert.Equal(1, group[rank].Wait());
            Assert.Matches("(?m)^error: rank 1 on .* lives but has not come to the end of the trial within 2 s", group[rank].Errors);
        }
    }

    [Fact]
    public void A_rank_that_fails_alone_takes_the_others_along_with_its_words()
    {
        using var run = new TinyRun();
        // Found only when it is decoded, which rank 1 alone does.
        var data = run.Rows(8, rows => rows[3]!["images"] = new JsonArray(RankGroup.BrokenImage));
        using var group = RankGroup.Start(2, run.Train("out", ["disable_shuffling=true", "dataloader_num_workers=1", .. data]));
        Assert.True(group[1].Wait() == 1, group[1].Errors);
        Assert.Equal(1, group[0].Wait());
        Assert.Contains(Path.GetFileName(RankGroup.BrokenImage), group[1].Errors);
        Assert.Matches($"(?m)^error: rank 1 on .* stopped: .*{Path.GetFileName(RankGroup.BrokenImage)}", group[0].Errors);
    }

    [Fact]
    public void Groups_that_split_sequences_in_another_size_than_an_earlier_run_are_refused_by_their_key()
    {
        RankGroup.Run(2, "probe", "mesh", "--mib", "0.1", "--together", "2", "--together", "2");
        using var group = RankGroup.Start(2, "probe", "mesh", "--mib", "0.1", "--together", "2", "--together", "1");
        foreach (var rank in new[] { 0, 1 })
        {
            Assert.NotEqual(0, group[rank].Wait());
            Assert.Contains("sequence_parallel_size: 1 is not the 2 of an earlier run of these processes", group[rank].Errors);
        }
    }

    [Fact]
    public void A_port_in_use_is_said_and_ends_the_run()
    {
        var port = RankGroup.FreePort();
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.IPv6Any, port);
        taken.Server.DualMode = true;
        taken.Start();
        using var rank = FoveaProcess.StartWith(RankGroup.Variables(0, 2, port.ToString(CultureInfo.InvariantCulture)), ["probe", "mesh", "--timeout", "3"]);
        Assert.Equal(1, rank.Wait());
        Assert.Contains("is MASTER_PORT in use", rank.Errors);
    }

    [Fact]
    public void A_rank_that_does_not_come_is_named()
    {
        using var rank = FoveaProcess.StartWith(
            RankGroup.Variables(0, 2, RankGroup.FreePort().ToString(CultureInfo.InvariantCulture)), ["probe", "mesh", "--timeout", "2"]);
        Assert.Equal(1, rank.Wait());
        Assert.Contains("rank 1 on an unknown host has not joined within 2 s", rank.Errors);
    }

    [Fact]
    public void Variables_are_read_as_torchrun_sets_them_and_contradictions_are_all_told()
    {
        Assert.Equal(new RankVariables(0, 1, 0, string.Empty, 0), Read([]));
        Assert.Equal(
            new RankVariables(3, 4, 1, "node", 29500, StoreIsServed: true, "/worker/attempt_2"),
            Read(new()
            {
                ["RANK"] = "3", ["WORLD_SIZE"] = "4", ["LOCAL_RANK"] = "1", ["MASTER_ADDR"] = "node", ["MASTER_PORT"] = "29500",
                ["TORCHELASTIC_USE_AGENT_STORE"] = "True", ["TORCHELASTIC_RESTART_COUNT"] = "2",
            }));
        var e = Assert.Throws<ConfigException>(() => Read(new() { ["RANK"] = "4", ["WORLD_SIZE"] = "4" }));
        Assert.Equal(3, e.Problems.Count);
    }

    private static RankVariables Read(Dictionary<string, string> variables) => RankVariables.Read(name => variables.GetValueOrDefault(name));

    [GeneratedRegex(@"theory +(?<theory>\d+) bytes, wire +(?<wire>\d+) bytes", RegexOptions.CultureInvariant)]
    private static partial Regex Line();
}
