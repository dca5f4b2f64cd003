using Fovea.Data.Sampling;

namespace Fovea.Tests.Unit.Data;

public sealed class SampleOrderTests
{
    [Fact]
    public void Each_epoch_is_randperm_of_seed_plus_epoch()
    {
        var order = new SampleOrder(new OrderOptions { Samples = 10, BatchSize = 5, Accumulation = 2 });
        Assert.Equal(1, order.StepsPerEpoch);
        Assert.Equal([2, 6, 1, 8, 4, 5, 0, 9, 3, 7], order.BatchesOf(0).SelectMany(b => b));
        Assert.Equal([8, 4, 9, 0, 5, 1, 6, 7, 2, 3], order.BatchesOf(1).SelectMany(b => b));
        Assert.Equal([2, 6, 1, 8, 4, 5, 0, 9, 3, 7], order.BatchesOf(0).SelectMany(b => b));
    }

    [Theory]
    [InlineData(StepRounding.Ceil)]
    [InlineData(StepRounding.Carry)]
    [InlineData(StepRounding.Floor)]
    internal void Steps_within_so_many_batches_are_those_whose_last_batch_is_among_them(StepRounding rounding)
    {
        foreach (var (samples, accumulation) in new[] { (7, 1), (7, 2), (7, 3), (2, 3), (8, 4) })
        {
            var order = new SampleOrder(new OrderOptions { Samples = samples, BatchSize = 1, Accumulation = accumulation, Rounding = rounding });
            for (var batches = 0; batches < 40; batches++)
            {
                Assert.Equal(Enumerable.Range(0, 60).Count(step => order.BatchesUpTo(step) <= batches), order.StepsWithin(batches));
            }

            Assert.Equal(int.MaxValue, order.StepsWithin(long.MaxValue / 8));
        }
    }

    [Fact]
    public void Without_shuffling_samples_come_in_file_order_every_epoch()
    {
        var order = new SampleOrder(new OrderOptions { Samples = 5, Shuffle = false, BatchSize = 2 });
        Assert.Equal(3, order.StepsPerEpoch);
        int[][] expected = [[0, 1], [2, 3], [4], [0, 1]];
        Assert.Equal(expected, Enumerable.Range(0, 4).Select(s => Assert.Single(order.BatchesOf(s))));
    }

    [Fact]
    public void The_last_batches_of_an_epoch_make_a_shorter_step()
    {
        var order = new SampleOrder(new OrderOptions { Samples = 86, Accumulation = 8 });
        Assert.Equal(11, order.StepsPerEpoch);
        Assert.Equal(22, order.TotalSteps(2));
        Assert.Equal(7, order.TotalSteps(2, maxSteps: 7));
        Assert.Equal(6, order.BatchesOf(10).Count);
        Assert.Equal(8, order.BatchesOf(11).Count);
        Assert.Equal(8 / 86.0, order.EpochAfter(1), 12);
        Assert.Equal(1, order.EpochAfter(11), 12);
        Assert.Equal(1 + (8 / 86.0), order.EpochAfter(12), 12);
    }

    [Fact]
    public void Rounding_down_gives_the_204_steps_of_early_2025()
    {
        var options = new OrderOptions { Samples = 1097, Accumulation = 8, WorldSize = 2 };
        Assert.Equal(207, new SampleOrder(options).TotalSteps(3));
        Assert.Equal(204, new SampleOrder(options with { Rounding = StepRounding.Floor }).TotalSteps(3));
    }

    [Fact]
    public void Rounding_down_carries_the_rest_of_an_epoch_into_the_next()
    {
        var order = new SampleOrder(new OrderOptions { Samples = 5, Shuffle = false, Accumulation = 2, Rounding = StepRounding.Floor });
        Assert.Equal(2, order.StepsPerEpoch);
        Assert.Equal([4, 0], order.BatchesOf(2).SelectMany(b => b));
        Assert.Equal([1, 2], order.BatchesOf(3).SelectMany(b => b));
    }

    [Fact]
    public void Rounding_down_with_too_few_batches_makes_one_step_an_epoch()
    {
        var order = new SampleOrder(new OrderOptions { Samples = 3, Shuffle = false, Accumulation = 8, Rounding = StepRounding.Floor });
        Assert.Equal(1, order.StepsPerEpoch);
        Assert.Equal([0, 1, 2], order.BatchesOf(1).SelectMany(b => b));
    }

    [Theory]
    [InlineData(11, 2, 2, new[] { 0, 1, 4, 5, 8, 9 }, new[] { 2, 3, 6, 7, 10, 0 })]
    [InlineData(9, 2, 2, new[] { 0, 1, 4, 5, 8, 0 }, new[] { 2, 3, 6, 7, 1, 2 })]
    [InlineData(8, 2, 2, new[] { 0, 1, 4, 5 }, new[] { 2, 3, 6, 7 })]
    [InlineData(10, 2, 2, new[] { 0, 1, 4, 5, 8, 9 }, new[] { 2, 3, 6, 7, 0, 1 })]
    [InlineData(1, 2, 2, new[] { 0, 0 }, new[] { 0, 0 })]
    [InlineData(3, 4, 2, new[] { 0, 1, 2, 0 }, new[] { 1, 2, 0, 1 })]
    public void Ranks_share_batches_as_accelerate_does(int samples, int batch, int world, int[] first, int[] second)
    {
        // Worked out by hand from accelerate's BatchSamplerShard with even_batches.
        int[][] expected = [first, second];
        for (var rank = 0; rank < world; rank++)
        {
            var order = new SampleOrder(new OrderOptions { Samples = samples, Shuffle = false, BatchSize = batch, Rank = rank, WorldSize = world });
            Assert.Equal(expected[rank], Enumerable.Range(0, order.StepsPerEpoch).SelectMany(s => order.BatchesOf(s)).SelectMany(b => b));
        }
    }

    [Fact]
    public void Evaluation_over_ranks_takes_every_sample_once()
    {
        var options = new OrderOptions { Samples = 5, Shuffle = false, BatchSize = 2, WorldSize = 4, EvenBatches = false };
        var all = Enumerable.Range(0, 4).Select(r => Assert.Single(new SampleOrder(options with { Rank = r }).BatchesOf(0)));
        Assert.Equal([[0, 1], [2, 3], [4], []], all);
    }
}
