using System.Text.Json;
using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;

namespace Fovea.Tests.Parity.Experts;

/// <summary>
/// moe_aux_loss_coef against Transformers' load_balancing_loss_func (more.py beside the golden): over all layers together, each batch of
/// per_device_train_batch_size rows on its own and added in full.
/// </summary>
public abstract class BalanceTestsBase : NativeTest
{
    private readonly string folder;
    private readonly JsonElement known;
    private readonly ExpertOptions options;
    private GridRun? run;

    /// <param name="golden">The folder in tests/goldens.</param>
    protected BalanceTestsBase(string golden)
    {
        folder = golden;
        known = Golden.Json(TestFiles.Golden($"{golden}/balance.json"));
        options = new ExpertOptions { MoeAuxLossCoef = known.GetProperty("coefficient").GetDouble() };
    }

    // A batch whose rows share a micro-batch is one batch however many micro-batches there are.
    [Theory]
    [InlineData(1_000_000, BlockMode.Keep)]
    [InlineData(1_000_000, BlockMode.Recompute)]
    [InlineData(1_000_000, BlockMode.Selective)]
    internal void Steps_of_LoRA_with_the_loss_of_the_routers_agree(int microBatchTokens, BlockMode mode)
    {
        run = Run(mode);
        run.Attach();
        run.Train("balance_lora", microBatchTokens, visionLearns: false, rowsPerBatch: 2);
    }

    [Fact]
    public void Steps_of_every_weight_with_the_loss_of_the_routers_agree()
    {
        run = Run(full: true);
        using var golden = new Golden(TestFiles.Golden($"{folder}/balance.safetensors"));
        run.Train("balance_full", 1_000_000, visionLearns: true, _ =>
        {
            using var scope = TensorScope.Open("test");
            var routers = run.Model.Ledger.Trainable.Where(p => p.Name.EndsWith("mlp.gate.weight", StringComparison.Ordinal)).ToList();
            Assert.Equal(4, routers.Count);
            foreach (var router in routers)
            {
                var name = $"first_step_clipped_grad.{router.Name}";
                Golden.NearRelative(name, golden.Floats(name), router.Value.Grad()!.ToArray<float>(), 1e-4);
            }
        }, rowsPerBatch: 2);
    }

    [Theory]
    [InlineData("one")]
    [InlineData("text")]
    [InlineData("two")]
    [InlineData("one", "text", "two")]
    [InlineData("turns", "long")]
    public void The_loss_of_a_batch_is_the_original_s_over_its_tokens_without_padding(params string[] names)
    {
        run = Run();
        var expected = known.GetProperty("values").EnumerateArray().Single(value =>
            value.GetProperty("samples").EnumerateArray().Select(name => name.GetString()!).SequenceEqual(names));
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        var loss = Loss(names, [(0, names.Length)]);
        Assert.Equal(expected.GetProperty("aux").GetDouble(), loss / options.MoeAuxLossCoef!.Value, 1e-4);
    }

    [Fact]
    public void Batches_in_one_stream_add_what_each_has_alone_and_parts_of_one_count_by_their_tokens()
    {
        run = Run();
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        Assert.Equal(Loss(["one"], [(0, 1)]) + Loss(["text", "two"], [(0, 2)]), Loss(["one", "text", "two"], [(0, 1), (1, 3)]), 1e-5);

        // Rows of one batch that fall into two micro-batches: each part is balanced by itself.
        using var whole = run.Plan([0, 1, 2, 3], 1_000_000, 0, rowsPerBatch: 2);
        using var parts = run.Plan([0, 1, 2, 3], 1, 0, rowsPerBatch: 2);
        Assert.Equal([1f, 1f], whole.MicroBatches[0].SampleShare.Chunk(2).Select(pair => pair.Sum()));
        Assert.Equal(2, parts.MicroBatches.Sum(part => part.SampleShare.Sum()), 1e-6);
        Assert.Equal(2, run.Model.Prepare(whole.MicroBatches[0]).Groups.Count);
    }

    [Theory]
    [InlineData(LossReduction.Token, 1.0)]
    [InlineData(LossReduction.Accumulate, 0.25)]
    internal void A_batch_counts_as_its_token_losses_do(LossReduction reduction, double share)
    {
        run = Run();
        using var step = run.Plan([0, 1, 2, 3], 1_000_000, 0);
        Assert.Equal(1.0, step.MicroBatches[0].SampleShare[0]);
        IReadOnlyList<IReadOnlyList<StepSample>> groups = [[run.Sample(0), run.Sample(1)], [run.Sample(2)]];
        var plan = StepPlanner.Plan(0, groups, new PlanOptions { MicroBatchTokens = 1_000_000, Reduction = reduction, Accumulation = 2, WorldSize = 2 });
        Assert.Equal(share, plan.MicroBatches[0].SampleShare[2], 1e-6);
        Assert.Equal(share, plan.MicroBatches[0].SampleShare[..2].Sum(), 1e-6);
    }

    protected override void Cleanup() => run?.Dispose();

    /// <summary>How the golden's rows are encoded; null for the family's own.</summary>
    protected virtual string? Template => null;

    private GridRun Run(BlockMode mode = BlockMode.Keep, bool full = false) => new(folder, mode, Template, full, options);

    private static long[] Slots(ModelInput input) => input.ImageSlots?.ToArray<long>() ?? [];

    /// <summary>Of samples in one stream, in batches [from, to).</summary>
    private double Loss(string[] names, (int From, int To)[] batches)
    {
        var inputs = names.Select(name => run!.Forward(name)).ToList();
        var side = new SideLosses();
        int[] starts = [0, .. inputs.Select((_, i) => inputs.Take(i + 1).Sum(input => (int)input.Ids.Size(0)))];
        var input = inputs[0] with
        {
            Ids = ShapeOps.Cat([.. inputs.Select(input => input.Ids)]),
            Positions = [.. Enumerable.Range(0, 3).Select(axis => inputs.SelectMany(input => input.Positions[axis]).ToArray())],
            Attention = new PackedAttention(new Segments(starts).On(run!.Model.Device)),
            Pixels = inputs.Any(input => input.Pixels is not null) ? ShapeOps.Cat([.. inputs.Select(input => input.Pixels).OfType<Tensor>()]) : null,
            Grids = [.. inputs.SelectMany(input => input.Grids)],
            ImageSlots = inputs.Any(input => input.ImageSlots is not null)
                ? CreateOps.On<long>(run.Model.Device, inputs.SelectMany((input, i) => Slots(input).Select(slot => slot + starts[i])).ToArray())
                : null,
            Groups = [.. batches.Select(batch => new TokenGroup(starts[batch.From], starts[batch.To], options.MoeAuxLossCoef!.Value))],
            Side = side,
            Wanted = CreateOps.On(run.Model.Device, [0L]),
        };
        run.Model.Hidden(input, run.Model.VisionFeatures(input));
        return side.Close()!.Item();
    }
}
