using Fovea.Models;
using Fovea.Nn;
using Fovea.Testing;
using Fovea.Training.Config;
using Fovea.Training.Planning;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>Inputs of recomputed blocks wait in the host's memory. On the CPU the same copies are made and counted, but both sides are one memory.</summary>
public sealed class ActivationOffloadTests : NativeTest
{
    [Fact]
    public void Gradients_are_those_without_and_the_host_held_every_blocks_input()
    {
        var (kept, _) = Gradients(BlockMode.Recompute);
        var (moved, most) = Gradients(BlockMode.Offload);
        Assert.Contains(kept, g => g.Value.Any(v => v != 0));
        Assert.All(kept, g => Assert.Equal(g.Value, moved[g.Key]));
        using var batch = MidModel.Batch(1);
        using var model = Build(BlockMode.Keep);
        Assert.Equal(3L * batch.Tokens * model.Head.Shape[1] * 4, most);
    }

    [Fact]
    public void A_pass_whose_backward_never_comes_leaves_nothing_on_the_host()
    {
        using var model = Build(BlockMode.Offload);
        using var batch = MidModel.Batch(1);
        using (TensorScope.Open("micro-batch"))
        {
            model.Hidden(model.Prepare(batch), null);
            Assert.True(model.Ledger.HostInputs.Bytes > 0);
        }

        Assert.Equal(0, model.Ledger.HostInputs.Bytes);
        Assert.True(model.Ledger.HostInputs.MostBytes > 0);
    }

    [Fact]
    public void With_the_hosts_memory_at_least_as_many_blocks_keep_their_activations()
    {
        using var model = Build(BlockMode.Keep);
        var gained = 0;
        for (var budget = 64L << 20; budget < 1L << 30; budget += 4 << 20)
        {
            var plain = ActivationPlan.For(model, Config("recompute: auto"), budget);
            var aided = ActivationPlan.For(model, Config("recompute: auto\nactivation_offload: true"), budget) with { HostBudget = 1L << 30 };
            var (before, after) = (plain.Modes(4096, 0), aided.Modes(4096, 0));
            Assert.True(Kept(after) >= Kept(before), $"{budget}: {string.Join(' ', before.Values)}, {string.Join(' ', after.Values)}");
            Assert.True(Kept(after) == 0 || aided.Predict(after, 4096, 0) < budget);
            Assert.DoesNotContain(BlockMode.Recompute, after.Values);
            Assert.Equal(after.Values.Count(mode => mode == BlockMode.Offload) * 4096L * model.Head.Shape[1] * 4, aided.OnHost(after, 4096, 0));
            gained += Kept(after) - Kept(before);
        }

        Assert.True(gained > 0);
    }

    [Fact]
    public void Only_what_is_recomputed_moves_as_far_as_the_host_has_room_and_is_asked()
    {
        using var model = Build(BlockMode.Keep);
        var costs = ActivationCosts.Measure(model, 0, onHost: false);
        var input = costs.Blocks[^1].Input.Of(4096);
        Assert.All(Modes(0, 1L << 40, "true"), mode => Assert.Equal(BlockMode.Offload, mode));
        Assert.Equal(2, Modes(0, 2 * input, "true").Count(mode => mode == BlockMode.Offload));
        Assert.All(Modes(0, 0, "true"), mode => Assert.Equal(BlockMode.Recompute, mode));
        Assert.All(Modes(0, 1L << 40, "false"), mode => Assert.Equal(BlockMode.Recompute, mode));
        Assert.All(Modes(1L << 40, 1L << 40, "true"), mode => Assert.Equal(BlockMode.Keep, mode));

        // Blocks so narrow compute no longer than their inputs take over the bus: nobody moves them unasked.
        Assert.True(2 * costs.Blocks[^1].Block.Parameters.Sum(p => p.Count) < 12_000 * costs.Blocks[^1].Input.EachRow);
        Assert.All(Modes(0, 1L << 40, "auto"), mode => Assert.Equal(BlockMode.Recompute, mode));

        // One input is on its way at any time.
        var (stays, moves) = (Plan(0, 0, "true"), Plan(0, 1L << 40, "true"));
        Assert.Equal(stays.Predict(stays.Modes(4096, 0), 4096, 0) - (2 * input), moves.Predict(moves.Modes(4096, 0), 4096, 0));
        Assert.Contains("3 are computed again, 3 of them from inputs in the host's memory", moves.Notice(visionLearns: false));

        IEnumerable<BlockMode> Modes(long budget, long host, string offload) => Plan(budget, host, offload).Modes(4096, 0).Values;

        ActivationPlan Plan(long budget, long host, string offload) =>
            ActivationPlan.For(model, Config($"activation_offload: {offload}\nmicro_batch_tokens: 4096"), budget, 0, costs) with { HostBudget = host };
    }

    [Fact]
    public void A_plan_moves_the_inputs_of_a_7B_model_where_the_card_is_too_small_for_them()
    {
        const long gib = 1L << 30;
        const long inputs = 28L * 32768 * 3584 * 2;
        Assert.Equal((inputs, inputs, true), Row("", 32));
        Assert.Equal((inputs, inputs, true), Row("activation_offload: true", 80));
        Assert.Equal((0, 0, true), Row("", 80));
        Assert.Equal((0, 0, false), Row("activation_offload: false", 32));

        (long Moved, long Host, bool? Fits) Row(string lines, long card)
        {
            var config = TrainConfig.Parse(
                $"model_name_or_path: {TestFiles.Golden("qwen2_5_vl_configs/7b")}\nbf16: true\n{lines}", "c.yaml", use: ConfigUse.Plan);
            var row = PlanRun.Run(config, new MemoryPlanRequest { Ranks = [1], Stages = [0], Length = 32768, DeviceBytes = card * gib }).Rows[0];
            TestContext.Current.TestOutputHelper?.WriteLine($"{lines} {card}: {(double)row.Device / gib:F1} GiB, host {(double)row.Host / gib:F1}");
            return (row.OffloadedActivations, row.Host, row.Fits);
        }
    }

    [Fact]
    public void A_configuration_that_recomputes_nothing_cannot_ask_for_it()
    {
        foreach (var recompute in new[] { "false", "selective" })
        {
            var problem = Assert.Throws<ConfigException>(() => Config($"activation_offload: true\nrecompute: {recompute}")).Message;
            Assert.Contains("activation_offload: true", problem);
        }

        Assert.Equal(Toggle.Off, Config("activation_offload: false\nrecompute: false").Memory.ActivationOffload);
    }

    [Fact]
    public void On_the_CPU_the_user_is_told_that_nothing_moves()
    {
        using var model = Build(BlockMode.Keep);
        Assert.Contains("activation_offload moves nothing", Budget("true").Notice);
        Assert.Null(Budget("auto").Notice);
        Assert.Equal(0, Budget("true").HostActivations);

        MemoryBudget Budget(string value) =>
            MemoryBudget.For(Config($"activation_offload: {value}"), model, new MachineMemory(Device.Cpu), cachesVision: false);
    }

    private static int Kept(IReadOnlyDictionary<Block, BlockMode> modes) =>
        modes.Values.Sum(mode => mode switch { BlockMode.Keep => 2, BlockMode.Selective => 1, _ => 0 });

    private static TrainConfig Config(string text) => TrainConfig.Parse($"model_name_or_path: x\ndataset: x\noutput_dir: x\n{text}", "test");

    private static VisionLanguageModel Build(BlockMode mode)
    {
        var model = SmallModel.Build(new ModelOptions { BlockMode = mode });
        SmallModel.Adapt(model);
        return model;
    }

    private static (Dictionary<string, float[]> Gradients, long MostBytes) Gradients(BlockMode mode)
    {
        using var model = Build(mode);
        using var batch = MidModel.Batch(1);
        new StepRunner(model, visionLearns: false).Train(batch, 0);
        Assert.Equal(0, model.Ledger.HostInputs.Bytes);
        var gradients = new Dictionary<string, float[]>();
        foreach (var parameter in model.Ledger.Trainable)
        {
            using var scope = TensorScope.Open("test");
            gradients[parameter.Name] = parameter.Value.Grad()!.ToArray<float>();
            parameter.Value.SetGrad(null);
        }

        return (gradients, model.Ledger.HostInputs.MostBytes);
    }
}
