using Fovea.Models;
using Fovea.Events;
using Fovea.Runs.Files;
using Fovea.Training.Config;
using Fovea.Training.Planning;

namespace Fovea.Tests.Unit.Training;

/// <summary>A run plans with the memory where it computes, and reports that.</summary>
public sealed class MemoryBudgetTests : NativeTest
{
    private const long Gib = 1L << 30;
    private readonly VisionLanguageModel model;

    public MemoryBudgetTests()
    {
        model = SmallModel.Build(new ModelOptions { Compute = DType.BF16 });
        SmallModel.Adapt(model);
    }

    [Fact]
    public void A_card_of_24_GB_in_a_host_of_256_GB_is_planned_as_24()
    {
        var budget = For(new Machine(Card(total: 24, allocated: 16), hostFree: 250, hostUsed: 2));

        // Nine tenths of the 8 that are left, less the margin; weights and optimizer are there already.
        Assert.InRange(budget.Activations, (long)(6.1 * Gib), (long)(6.2 * Gib));
        Assert.InRange(budget.VisionCache, 56 * Gib, 57 * Gib);
        Assert.Null(budget.Notice);
    }

    [Fact]
    public void A_card_of_80_GB_in_a_host_of_16_GB_is_planned_as_80()
    {
        var budget = For(new Machine(Card(total: 80, allocated: 1), hostFree: 4, hostUsed: 11));
        Assert.InRange(budget.Activations, 70 * Gib, (long)(70.2 * Gib));
        Assert.InRange(budget.VisionCache, (long)(0.89 * Gib), (long)(0.9 * Gib));
    }

    [Fact]
    public void What_the_allocator_holds_back_is_free_and_what_others_hold_is_not()
    {
        var alone = For(new Machine(Card(total: 24, allocated: 4), 64, 2));
        Assert.Equal(alone.Activations, For(new Machine(Card(total: 24, allocated: 4, reserved: 9), 64, 2)).Activations);
        var shared = For(new Machine(Card(total: 24, allocated: 4, others: 10), 64, 2));
        Assert.Equal(9 * Gib, alone.Activations - shared.Activations, 16.0);
    }

    [Fact]
    public void Weights_and_moments_that_are_not_there_yet_are_left_room()
    {
        using var whole = SmallModel.Build(new ModelOptions { Compute = DType.BF16, Trainable = (_, _) => true });
        var config = Config("finetuning_type: full\nlearning_rate: 1e-5");
        var (empty, full) = (Card(total: 8, allocated: 0), Card(total: 8, allocated: 1));
        var resident = ShardPlan.For(ShardGroup.Of(whole), config.Parallel.Sharding, 1, ShardTypes.Of(whole, config, mapped: false, onHost: false)).Device;
        Assert.InRange(resident, 100L << 20, Gib);
        var later = MemoryBudget.For(config, whole, new Machine(empty, 8, 1), cachesVision: false);
        var before = MemoryBudget.For(config, whole, new Machine(full, 8, 1), cachesVision: false);
        Assert.Equal(resident - (Gib / 10 * 9), before.Activations - later.Activations, 16.0);
    }

    [Fact]
    public void On_the_CPU_both_come_out_of_what_machine_and_control_group_have_free()
    {
        var budget = For(new Machine(null, hostFree: 14, hostUsed: 2));
        var all = budget.Activations + budget.VisionCache;
        Assert.InRange(all, 14 * Gib, 16L * Gib / 10 * 9);
        Assert.Equal(all / 4, budget.VisionCache);
        Assert.InRange(For(new Machine(null, 14, 2), ranksHere: 7).Activations, 2 * Gib, 3 * Gib);
    }

    [Fact]
    public void The_key_memory_budget_is_the_devices()
    {
        var machine = new Machine(Card(total: 80, allocated: 1), hostFree: 16, hostUsed: 2);
        Assert.InRange(For(machine, "memory_budget: 20GB").Activations, 19_000_000_000, 20_000_000_000);
        Assert.InRange(For(machine, "memory_budget: 20GB").VisionCache, 3 * Gib, 4 * Gib);
        Assert.Equal(5_000_000_000, For(machine, "memory_budget: 20GB\nvision_cache_memory: 5GB").VisionCache);
        Assert.InRange(For(new Machine(null, 64, 2), "memory_budget: 20GB").Activations, 14_000_000_000, 15_000_000_000);
    }

    [Fact]
    public void A_card_whose_memory_nobody_can_tell_computes_all_again_and_the_user_is_told()
    {
        var unknown = new Machine(default(DeviceMemory), 64, 2);
        var budget = For(unknown);
        Assert.Equal(0, budget.Activations);
        Assert.Contains("set memory_budget", budget.Notice);
        Assert.Null(For(unknown, "memory_budget: 20GB").Notice);
        Assert.Null(((IMemory)unknown).Used);
    }

    [Fact]
    public void Less_room_on_the_card_means_that_more_is_computed_again()
    {
        string Modes(double gib)
        {
            var budget = For(new Machine(Card(total: gib, allocated: 0), 256, 2));
            return string.Join(' ', ActivationPlan.For(model, Config("recompute: auto"), budget.Activations).Modes(16384, 0).Values);
        }

        Assert.Equal("Keep Keep Keep", Modes(24));
        Assert.Equal("Recompute Recompute Recompute", Modes(1.5));
    }

    [Fact]
    public void Logs_tell_the_cards_memory_and_on_the_CPU_the_process()
    {
        IMemory card = new Machine(Card(total: 24, allocated: 3, reserved: 5), 256, 7), host = new Machine(null, 256, 7);
        Assert.Equal((3 * Gib, 5 * Gib, 4 * Gib), (card.Used, card.Reserved, card.Peak));
        Assert.Equal((7 * Gib, null, 9 * Gib), (host.Used, host.Reserved, host.Peak));
        Assert.Contains("\"vram_allocated\": 3.0, \"vram_reserved\": 5.0", Logged(card));
        Assert.DoesNotContain("vram", Logged(host));
    }

    protected override void Cleanup() => model.Dispose();

    private static string Logged(IMemory memory)
    {
        var folder = Directory.CreateTempSubdirectory("fovea-memory");
        try
        {
            using (var sink = new TrainerLogSink(folder.FullName))
            {
                sink.Write(new RunStarted
                {
                    OutputDir = folder.FullName, Model = "m", TrainableParameters = 1, AllParameters = 1, Samples = 1, TotalSteps = 2,
                });
                sink.Write(new StepLogged(1, 2, 1, 1, 1, 1) { MemoryBytes = memory.Used, MemoryReservedBytes = memory.Reserved });
            }

            return File.ReadAllText(Path.Combine(folder.FullName, TrainerLogSink.FileName));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private MemoryBudget For(Machine machine, string keys = "", int ranksHere = 1) =>
        MemoryBudget.For(Config(keys), model, machine, cachesVision: true, ranksHere);

    private static TrainConfig Config(string keys) =>
        TrainConfig.Parse($"model_name_or_path: x\ndataset: x\noutput_dir: x\nbf16: true\n{keys}", "test");

    /// <summary>In GiB. The allocator holds what is in tensors, and perhaps more; other processes hold some as well.</summary>
    private static DeviceMemory Card(double total, double allocated, double? reserved = null, double others = 0)
    {
        long Bytes(double gib) => (long)(gib * Gib);
        var held = reserved ?? allocated;
        return new DeviceMemory(Bytes(allocated), Bytes(allocated + 1), Bytes(held), Bytes(total - held - others), Bytes(total));
    }

    private sealed class Machine(DeviceMemory? card, long hostFree, long hostUsed) : IMemory
    {
        public DeviceMemory? Device => card;

        public long HostFree => hostFree * Gib;

        public long HostUsed => hostUsed * Gib;

        public long HostPeak => (hostUsed + 2) * Gib;
    }
}
