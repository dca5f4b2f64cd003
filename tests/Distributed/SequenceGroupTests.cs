using Fovea.Data.Packing;
using Fovea.Data.Templates;
using Fovea.Models;
using Fovea.Testing;
using Fovea.Tests.Unit.Training;
using Fovea.Training.Config;
using Fovea.Training.Planning;
using Fovea.Training.Session;

namespace Fovea.Tests.Distributed;

/// <summary>What ranks that split sequences must agree on.</summary>
public sealed class SequenceGroupTests : NativeTest
{
    [Fact]
    public void Ranks_of_a_group_plan_with_the_memory_that_each_of_them_has_on_device_and_host()
    {
        MemoryBudget[] own = [new(1000, 7, 500), new(1001, 8, 499)];
        var budgets = Array.ConvertAll(own, budget => budget.Agreed((what, value) =>
            Math.Min(value, what == "the memory for activations" ? own.Min(of => of.Activations) : own.Min(of => of.HostActivations))));
        Assert.All(budgets, budget => Assert.Equal((1000, 499), (budget.Activations, budget.HostActivations)));
        Assert.Equal([7L, 8L], budgets.Select(budget => budget.VisionCache));
    }

    [Fact]
    public void What_blocks_keep_does_not_depend_on_what_is_in_a_ranks_cache_of_features()
    {
        using var model = SmallModel.Build(new ModelOptions());
        using var missed = MidModel.Batch(2);
        using var found = MidModel.Batch(2);
        found.Tickets = [new Found(), null];
        found.AllocatePixels(found.Grids[1].Patches, missed.PatchLength);
        Assert.Equal((1152, 576), (missed.Patches, found.Patches));
        Assert.Equal((1152, 1152), (Plan(2).PatchesOf(missed), Plan(2).PatchesOf(found)));
        Assert.Equal((1152, 576), (Plan(1).PatchesOf(missed), Plan(1).PatchesOf(found)));

        ActivationPlan Plan(int ranks) => ActivationPlan.For(
            model, TrainConfig.Parse($"model_name_or_path: x\ndataset: x\noutput_dir: x\nsequence_parallel_size: {ranks}", "test"), 1L << 30);
    }

    [Fact]
    public void A_step_that_differs_within_any_group_ends_on_every_rank_in_the_same_words()
    {
        // Groups differ from one another, as they should.
        Assert.All(Said(Step(7, 8), Step(7, 8), Step(3), Step(3)), Assert.Null);
        Assert.All(Said(Step(3), Step(3), Step(7, 8), Step(7)), said => Assert.StartsWith(
            "step 5: ranks 2 and 3 split the same sequences (sequence_parallel_size: 2), but have prepared different samples: "
            + "rank 2 has 2 samples of 6 tokens, rank 3 has 1 samples of 3 tokens. The weights were not changed.", said));
        Assert.All(Said(Step(3), Step(3), Step(7, 8), Step(7, 9)), said => Assert.Contains(
            "rank 2 has 2 samples of 6 tokens, rank 3 has 2 samples of 6 tokens, and they are not the same ones. ", said));
    }

    [Fact]
    public void Packing_tokens_and_trained_tokens_are_part_of_what_is_compared()
    {
        StepSample[] samples = [Sample(1), Sample(2)];
        using var together = Plan(100, samples);
        using var again = Plan(100, samples);
        using var apart = Plan(3, samples);
        using var untrained = Plan(100, samples[0], new StepSample(2, new EncodedSample([2, 11, 12], [-100, -100, -100], [], "d", 1)));
        using var reworded = Plan(100, samples[0], new StepSample(2, new EncodedSample([2, 13, 12], [-100, -100, 12], [], "d", 1)));
        StepBatch[] steps = [together, apart, untrained, reworded];
        Assert.Equal(4, steps.Select(SameBatches.Fingerprint).Distinct().Count());
        Assert.Equal(SameBatches.Fingerprint(together), SameBatches.Fingerprint(again));
    }

    private static StepSample Sample(int index) => new(index, new EncodedSample([index, 11, 12], [-100, -100, 12], [], "d", 1));

    private static StepBatch Step(params int[] samples) => Plan(100, [.. samples.Select(Sample)]);

    private static StepBatch Plan(int microBatchTokens, params StepSample[] samples) =>
        StepPlanner.Plan(4, [samples], new PlanOptions { MicroBatchTokens = microBatchTokens });

    /// <summary>What each of the ranks, two a group, ends with; null where it goes on.</summary>
    private static string?[] Said(params StepBatch[] steps)
    {
        var ranks = steps.Select((step, rank) => new SameBatches(step, rank, steps.Length, 2)).ToList();
        var sums = Enumerable.Range(0, ranks[0].Mine.Length).Select(i => ranks.Sum(rank => rank.Mine[i])).ToArray();
        var said = ranks.Select(rank => Record.Exception(() => rank.Check(sums))?.Message).ToArray();
        Array.ForEach(steps, step => step.Dispose());
        return said;
    }

    private sealed class Found : FeatureTicket
    {
        public override bool HasFeatures => true;

        public override void Dispose()
        {
        }
    }
}
