using Fovea.Distributed;
using Fovea.Training.Planning;

namespace Fovea.Tests.Unit.Planning;

/// <summary>The arithmetic of a rank's memory, by hand for small shapes.</summary>
public sealed class ShardPlanTests
{
    private static readonly ShardTypes Mixed = new(Compute: 2, Master: 4);

    // Three blocks, of which the last learns in part, a head, and a norm.
    private static readonly ShardGroup[] Groups =
    [
        new("a") { Frozen = [1000, 24] },
        new("b") { Frozen = [640], Adapters = [64, 10] },
        new("c") { Frozen = [128], Trained = [500, 12] },
        new("head") { Trained = [2048], IsHead = true },
        new("rest") { Frozen = [30], Trained = [70], IsRest = true },
    ];

    [Theory]
    [InlineData(new long[] { 64 }, 1, 64)]
    [InlineData(new long[] { 1000, 24 }, 1, 1024 + 64)]
    [InlineData(new long[] { 1000, 24 }, 2, 1152)]
    [InlineData(new long[] { 1, 1, 1 }, 4, 256)]
    [InlineData(new long[0], 8, 0)]
    public void Weights_are_padded_to_64_elements_and_buffers_to_64_a_rank(long[] counts, int ranks, long padded) =>
        Assert.Equal(padded, ShardPlan.Padded(counts, ranks));

    [Fact]
    public void Nothing_is_divided_at_stage_0()
    {
        var plan = For(0, 1);

        var frozen = 1024 + 640 + 128 + 30;
        var learning = 74 + 512 + 2048 + 70;
        Assert.Equal((2 * frozen) + (4 * learning) + (2 * (64 + 64)), plan.Weights); // the adapters' copies as used
        Assert.Equal(4 * learning, plan.Gradients);
        Assert.Equal(8 * learning, plan.Optimizer);
        Assert.Equal((0, 0, 0), (plan.Gathered, plan.Host, plan.Mapped));

        // A chunk's gradient of the head in bf16 and fp32, and the sum over chunks.
        Assert.Equal(2048 * (2 + 4 + 4), plan.Transit);
        Assert.Equal(plan.Weights + plan.Gradients + plan.Optimizer + plan.Transit, plan.Device);
    }

    [Fact]
    public void A_bucket_is_held_twice_where_several_ranks_hold_everything()
    {
        ShardGroup[] groups = [new("a") { Trained = [100, 200, 300] }, new("rest") { IsRest = true }];

        // From the last weight on: 300, then 200 + 100, as soon as there are 250.
        Assert.Equal(300 * 4, ShardPlan.For(groups, new(), 2, Mixed with { BucketBytes = 1000 }).Transit);
        Assert.Equal(500 * 4, ShardPlan.For(groups, new(), 2, Mixed with { BucketBytes = 1600 }).Transit);
        Assert.Equal(0, ShardPlan.For(groups, new(), 1, Mixed).Transit);
    }

    [Fact]
    public void Frozen_weights_of_the_files_own_type_are_pages_of_the_file()
    {
        var plan = ShardPlan.For(Groups, new(), 1, Mixed with { Mapped = true });

        Assert.Equal(2 * (1024 + 640 + 128 + 30), plan.Mapped);
        Assert.Equal(For(0, 1).Weights - plan.Mapped, plan.Weights);

        // Divided, a rank has a copy of its part.
        Assert.Equal(2 * 30, ShardPlan.For(Groups, new() { Stage = 3 }, 2, Mixed with { Mapped = true }).Mapped);
    }

    [Fact]
    public void Weights_in_4_bits_are_pages_of_the_file_where_it_has_them_so()
    {
        ShardGroup[] groups = [new("a") { Frozen = [64], Packed = [640, 128], Scales = 30, Adapters = [64] }, new("rest") { IsRest = true }];
        foreach (var (stage, bytes) in new[] { (0, 640 + 128 + 30), (1, 640 + 128 + 30), (2, 640 + 128 + 30), (3, 30) })
        {
            var sharding = new ShardingOptions { Stage = stage };
            var rounded = ShardPlan.For(groups, sharding, 2, Mixed);
            var read = ShardPlan.For(groups, sharding, 2, Mixed with { MapsPacked = true });
            Assert.Equal((0, bytes), (rounded.Mapped, read.Mapped));
            Assert.Equal((bytes, rounded.Device - bytes), (rounded.Weights - read.Weights, read.Device));
        }
    }

    [Fact]
    public void Stage_2_divides_masters_moments_and_sums()
    {
        var plan = For(2, 2);

        // On two ranks: adapters 64 + 64, trained 512 + 64 to 640, head 2048, rest 128.
        var learning = 128 + 640 + 2048 + 128;
        Assert.Equal(learning / 2 * 12, plan.Optimizer);
        Assert.Equal(learning / 2 * 4, plan.Gradients);

        // What is used: trained weights in bf16, adapters in fp32, frozen ones as they were.
        Assert.Equal((2 * (1024 + 640 + 128 + 30)) + (128 * (4 + 2)) + ((640 + 2048 + 128) * 2), plan.Weights);
        Assert.Equal(0, plan.Gathered);

        // Backward is in b; c and the head are sent and received in bf16, with a sum of half of each in fp32.
        Assert.Equal((128 * 4) + (640 * 2 * 2) + (320 * 4) + (2048 * 2 * 2) + (1024 * 4), plan.Transit);
    }

    [Fact]
    public void Stage_1_also_collects_all_gradients_in_fp32()
    {
        var (one, two) = (For(1, 2), For(2, 2));

        Assert.Equal(two.Gradients + ((128 + 640 + 2048 + 128) * 4), one.Gradients);
        Assert.Equal((two.Optimizer, two.Weights), (one.Optimizer, one.Weights));
        Assert.Equal(two.Gradients, ShardPlan.For(Groups, new() { Stage = 1 }, 2, Mixed with { Accumulates = false }).Gradients);
    }

    [Fact]
    public void Stage_3_holds_its_part_and_two_neighbours()
    {
        var plan = For(3, 2);

        // Frozen a, b, c: 1088 to 1152, 640, 128; the rest stays whole.
        Assert.Equal(((1152 + 640 + 128) / 2 * 2) + (30 * 2) + (128 * 2), plan.Weights);

        // Most is there while b is at work, for what travels behind it: its own weights, frozen 640 and adapters in fp32, and a is on its way.
        Assert.Equal(((640 + 1152) * 2) + (128 * 4), plan.Gathered);
        Assert.Equal(For(2, 2).Transit, plan.Transit);

        // Without anything that travels: c and the head.
        ShardGroup[] frozen = [.. Groups.Select(g => g with { Frozen = [.. g.Frozen, .. g.Trained], Trained = [], Adapters = [] })];
        Assert.Equal((768 + 2048) * 2, ShardPlan.For(frozen, new() { Stage = 3 }, 2, Mixed).Gathered);
        Assert.Equal((For(2, 2).Optimizer, For(2, 2).Gradients), (plan.Optimizer, plan.Gradients));
    }

    [Fact]
    public void A_tied_head_is_gathered_again_after_the_last_block()
    {
        ShardGroup[] groups =
        [
            new("words") { Frozen = [6400], IsHead = true }, new("a") { Frozen = [640] }, new("b") { Frozen = [1280] }, new("rest") { IsRest = true },
        ];

        Assert.Equal((6400 + 1280) * 2, ShardPlan.For(groups, new() { Stage = 3 }, 2, Mixed).Gathered);
    }

    [Fact]
    public void Offloading_moves_bytes_to_the_host_and_loses_none()
    {
        var here = For(3, 2);
        var optimizer = For(3, 2, OffloadedOptimizer);
        var all = For(3, 2, OffloadedAll);

        Assert.Equal(here.Optimizer + here.Gradients, optimizer.Host);
        Assert.Equal((0, 0), (optimizer.Optimizer, optimizer.Gradients));

        // Masters are far away, so the part that is sent waits in the type in which it is used: of 128 adapter, 640 and 2048 elements a half.
        var ready = ((128 * 4) + (640 * 2) + (2048 * 2)) / 2;
        Assert.Equal(here.Weights + ready, optimizer.Weights);
        Assert.Equal((30 + 128) * 2, all.Weights);
        Assert.Equal(optimizer.Host + optimizer.Weights - all.Weights, all.Host);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void More_ranks_never_take_more_of_each(int stage)
    {
        // Large enough that padding does not count.
        ShardGroup[] groups = [.. Groups.Select(g => g with
        {
            Frozen = [.. g.Frozen.Select(n => n * 4096)], Trained = [.. g.Trained.Select(n => n * 4096)], Adapters = [.. g.Adapters.Select(n => n * 4096)],
        })];
        var before = long.MaxValue;
        foreach (var ranks in new[] { 2, 4, 8, 16, 64 })
        {
            var device = ShardPlan.For(groups, new() { Stage = stage }, ranks, Mixed).Device;
            Assert.True(device < before, $"{ranks}: {device}, before {before}");
            before = device;
        }
    }

    private static ShardingOptions OffloadedOptimizer => new() { OffloadOptimizer = true };

    private static ShardingOptions OffloadedAll => new() { OffloadOptimizer = true, OffloadParameters = true };

    private static ShardPlan For(int stage, int ranks, ShardingOptions? offload = null) =>
        ShardPlan.For(Groups, (offload ?? new()) with { Stage = stage }, ranks, Mixed);
}
