using System.Diagnostics;
using System.Globalization;
using Fovea.Distributed;

namespace Fovea.Tests.Distributed;

/// <summary>
/// On GPUs collectives are queued, and it is the reading of a result that would wait for ever when a rank is gone. Ranks that know of one another but compute
/// nothing, and an event that a test fires, stand in for GPUs.
/// </summary>
public sealed class DeviceWaitTests : NativeTest
{
    private readonly List<Mesh> ranks = [];

    [Fact]
    public void Waiting_for_a_card_ends_with_the_words_of_the_rank_that_failed()
    {
        Meet(TimeSpan.FromMinutes(1));
        var queued = new FakeEvent(_ => false);
        var waiting = Task.Run(() => ranks[0].Await(queued, "the sum of gradients, part 2"));
        Assert.True(SpinWait.SpinUntil(() => queued.Asked > 1, TimeSpan.FromSeconds(20)));
        ranks[1].Fail(new InvalidDataException("photo.jpg is damaged"));
        var e = Assert.Throws<MeshException>(() => waiting.GetAwaiter().GetResult());
        Assert.Equal((1, "stopped: photo.jpg is damaged"), (e.Rank, e.Cause));
    }

    [Fact]
    [Trait("Category", "Long")]
    public void A_rank_that_does_not_come_is_named_after_ddp_timeout()
    {
        Meet(TimeSpan.FromSeconds(2));
        ranks[0].FromMain("the choice of a checkpoint", () => null);
        var watch = Stopwatch.StartNew();
        var e = Assert.Throws<MeshException>(() => ranks[0].Await(new FakeEvent(_ => false), "the sum of losses"));
        Assert.InRange(watch.Elapsed.TotalSeconds, 2, 30);
        Assert.Equal(1, e.Rank);
        Assert.Contains("has not come to the sum of losses within 2 s (ddp_timeout)", e.Cause);
    }

    [Fact]
    [Trait("Category", "Long")]
    public void What_arrives_late_but_in_time_is_no_failure_and_what_the_card_says_is_its_own()
    {
        Meet(TimeSpan.FromSeconds(8));
        var late = new FakeEvent(asked => asked == 3);
        ranks[0].Await(late, "the sum of losses");
        Assert.Equal(3, late.Asked);
        var e = Assert.Throws<TorchException>(() => ranks[0].Await(new FakeEvent(_ => throw new TorchException("CUDA error: misaligned address")), "x"));
        Assert.Contains("misaligned", e.Message);
        ranks[0].Settle(Device.Cpu); // where nothing is queued nobody waits
    }

    [Fact]
    public void Every_reading_from_a_device_is_waited_for_first()
    {
        using var scope = TensorScope.Open("test");
        var there = CreateOps.Zeros([2], device: Device.Meta);
        List<Device> asked = [];
        DeviceReads.WaitWith(device =>
        {
            asked.Add(device);
            throw new MeshException(1, "host", "is gone");
        });
        try
        {
            Assert.Throws<MeshException>(() => there.ToArray<float>());
            Assert.Throws<MeshException>(() => there.Sum().Item());
            Assert.Throws<MeshException>(() => CreateOps.Zeros([2]).Copy_(there));
            Assert.Equal(3, asked.Count);
            _ = CreateOps.Zeros([2]).ToArray<float>();
            _ = CreateOps.On(Device.Meta, [1f]);
            Assert.Equal(3, asked.Count);
        }
        finally
        {
            DeviceReads.WaitWith(null);
        }
    }

    protected override void Cleanup()
    {
        foreach (var rank in ranks)
        {
            rank.Dispose();
        }
    }

    private void Meet(TimeSpan timeout)
    {
        var port = RankGroup.FreePort().ToString(CultureInfo.InvariantCulture);
        var joined = Enumerable.Range(0, 2).Select(rank => Task.Run(() =>
        {
            var variables = RankGroup.Variables(rank, 2, port);
            return Mesh.Join(RankVariables.Read(name => variables.GetValueOrDefault(name)), timeout, null, (_, _, _) => null);
        })).ToArray();
        ranks.AddRange(Task.WhenAll(joined).GetAwaiter().GetResult());
    }

    /// <param name="fires">Told how often it was asked, this time included.</param>
    private sealed class FakeEvent(Func<int, bool> fires) : IAwaited
    {
        public int Asked { get; private set; }

        public bool Wait(TimeSpan slice)
        {
            if (fires(++Asked))
            {
                return true;
            }

            Thread.Sleep(20);
            return false;
        }
    }
}
