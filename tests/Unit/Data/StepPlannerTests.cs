using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Templates;
using Fovea.Training.Objectives;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Data;

public sealed class StepPlannerTests
{
    private const int No = EncodedSample.Ignored;

    [Fact]
    public void Samples_are_laid_end_to_end_with_their_trained_tokens_and_images()
    {
        var first = new EncodedSample([10, 11, 12], [No, No, 12], [], "d", 1);
        var second = new EncodedSample([20, 99, 99, 21, 22], [20, No, No, 21, 22], [new ImageRef("i.png", new ImageGrid(1, 2, 4), 1, 2)], "d", 2);
        using var step = StepPlanner.Plan(3, [[new StepSample(7, first)], [new StepSample(4, second)]], new PlanOptions { MicroBatchTokens = 8 });
        var batch = Assert.Single(step.MicroBatches);
        Assert.Equal(3, step.Step);
        Assert.Equal([10, 11, 12, 20, 99, 99, 21, 22], batch.Ids);
        Assert.Equal([0, 3, 8], batch.CuSeqlens);
        Assert.Equal([7, 4], batch.SampleIndices);
        Assert.Equal([4, 5], batch.ImageSlots);
        Assert.Equal([new ImageGrid(1, 2, 4)], batch.Grids);
        Assert.Equal(["i.png"], batch.ImagePaths);
        Assert.Equal([0, 0, 1], batch.ImageStarts);
        Assert.Equal([2], batch.ImageTokens);

        // The second sample's first token is labelled, but nothing in its own sample predicts it.
        Assert.Equal([1, 5, 6], batch.LossIndex);
        Assert.Equal([12, 21, 22], batch.Targets);
        Assert.Equal([1 / 3f, 1 / 3f, 1 / 3f], TokenLoss.Weights(batch, StepTotals.Of(step)));
        Assert.Equal(3, step.TrainedTokens);
    }

    [Theory]
    [InlineData(1, new[] { 1, 1, 1, 1, 1 })]
    [InlineData(4, new[] { 1, 1, 2, 1 })]
    [InlineData(6, new[] { 1, 1, 3 })]
    [InlineData(14, new[] { 4, 1 })]
    [InlineData(100, new[] { 5 })]
    public void Micro_batches_take_as_many_samples_as_fit_in_order(int budget, int[] expected)
    {
        var samples = new[] { 4, 6, 2, 2, 2 }.Select((n, i) => new StepSample(i, Sample(n, 1))).ToArray();
        using var step = StepPlanner.Plan(0, [samples], new PlanOptions { MicroBatchTokens = budget });
        Assert.Equal(expected, step.MicroBatches.Select(b => b.Samples));
        Assert.Equal([0, 1, 2, 3, 4], step.MicroBatches.SelectMany(b => b.SampleIndices));
        Assert.All(step.MicroBatches.SelectMany(b => TokenLoss.Weights(b, StepTotals.Of(step))), w => Assert.Equal(0.2f, w));
    }

    [Fact]
    public void The_mean_of_means_weighs_each_group_alike_whatever_the_packing()
    {
        // Groups of 3 + 1, 2, and nothing trained: three groups, two ranks.
        StepSample[][] groups = [[new(0, Sample(5, 3)), new(1, Sample(5, 1))], [new(2, Sample(5, 2))], [new(3, Sample(5, 0))]];
        var options = new PlanOptions { Reduction = LossReduction.Mean, WorldSize = 2 };
        foreach (var budget in (int[])[1, 10, 100])
        {
            using var step = StepPlanner.Plan(0, groups, options with { MicroBatchTokens = budget });
            float[] expected = [1 / 24f, 1 / 24f, 1 / 24f, 1 / 24f, 1 / 12f, 1 / 12f];
            var totals = StepTotals.Of(step);
            totals = totals with { Means = totals.Means * 2 };
            Assert.Equal(expected, step.MicroBatches.SelectMany(b => TokenLoss.Weights(b, totals)));
            Assert.Equal(1, step.EmptyGroups);
            Assert.Equal(6, step.TrainedTokens);

            // The other rank's tokens have no say in it.
            Assert.Equal(expected, step.MicroBatches.SelectMany(b => TokenLoss.Weights(b, totals with { TrainedTokens = 1000 })));
        }
    }

    [Fact]
    public void Token_weights_follow_the_tokens_of_all_ranks_once_known()
    {
        using var step = StepPlanner.Plan(0, [[new StepSample(0, Sample(5, 2))]], new PlanOptions { WorldSize = 2 });
        var totals = StepTotals.Of(step);
        Assert.All(TokenLoss.Weights(step.MicroBatches[0], totals), w => Assert.Equal(0.5f, w));
        Assert.All(TokenLoss.Weights(step.MicroBatches[0], totals with { TrainedTokens = 8 }), w => Assert.Equal(0.125f, w));
    }

    [Fact]
    public void A_step_without_samples_has_no_micro_batches()
    {
        using var step = StepPlanner.Plan(0, [[], []], new PlanOptions());
        Assert.Empty(step.MicroBatches);
        Assert.Equal(2, step.EmptyGroups);
    }

    private static EncodedSample Sample(int length, int trained)
    {
        var ids = Enumerable.Range(1, length).ToArray();
        return new EncodedSample(ids, [.. ids.Select((id, i) => i < length - trained ? No : id)], [], "d", 1);
    }
}
