using Fovea.Bench;
using Fovea.Nn;
using Fovea.Testing;

namespace Fovea.Tests.Unit.Devices;

/// <summary>Ways that only devices other than the CPU go, tried without one: on meta tensors, or with operators that the CPU's libtorch refuses.</summary>
public sealed class DeviceWaysTests : NativeTest
{
    private static readonly Operator Varlen = new("fovea::attention_varlen");
    private static readonly Operator BySegments = new("fovea::attention_by_segments");

    [Fact]
    public void Attention_that_both_operators_refuse_is_computed_all_the_same_and_the_refusals_are_told()
    {
        TestFiles.Require(TestDevice.IsCpu, "the CPU's libtorch has neither operator, a card's has");
        using var scope = TensorScope.Open("test");
        Torch.Seed(4);
        Tensor Random(int heads) => CreateOps.Empty([9, heads, 24], DType.BF16).Normal_(0, 1);
        var (q, k, v, offsets) = (Random(4), Random(2), Random(2), CreateOps.From([0, 4, 9]));
        var expected = BySegments.Call(q, k, v, (long[])[0, 4, 9], true, 0.3);
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(0, Varlen.Call(q, k, v, offsets, (long[])[0, 4, 9], true, 0.3).Sub(expected).Abs().Max().Item());
        }

        var refusals = Fovea.Tensors.Devices.Refusals.Where(r => r.Case == "BFloat16, heads of 24").ToList();
        Assert.Equal(["flash attention", "memory-efficient attention"], refusals.Select(r => r.Kernel).Order());
        Assert.All(refusals, r => Assert.Contains("Could not run 'aten::_", r.Why));
        Assert.All(refusals, r => Assert.True(r.Times >= 2, $"{r.Kernel} was refused twice, {r.Times} counted"));
    }

    [Fact]
    public void A_call_that_fails_for_another_reason_fails_and_refuses_nothing()
    {
        using var scope = TensorScope.Open("test");
        var x = CreateOps.Empty([9, 2, 40], DType.BF16, Device.Meta);
        var e = Assert.Throws<TorchException>(() => Varlen.Call(x, x, x, CreateOps.From([0, 9]), (long[])[0, 9], true, 0.3));
        Assert.Contains("attention: tensors on meta and cpu", e.Message);
        Assert.DoesNotContain(Fovea.Tensors.Devices.Refusals, r => r.Case == "BFloat16, heads of 40");
        Assert.Equal([9, 2, 40], Varlen.Call(x, x, x, CreateOps.On(Device.Meta, [0, 9]), (long[])[0, 9], true, 0.3).Shape);
    }

    [Fact]
    public void Empty_segments_reach_no_operator()
    {
        Assert.Equal([0, 3, 5], new Segments([0, 0, 3, 3, 5, 5]).Boundaries);
        Assert.Equal([0, 0], new Segments([0, 0, 0]).Boundaries);
    }

    [Theory]
    [InlineData(DType.BF16, 5000, 2206, 3)] // 640 MiB of 152,064 classes
    [InlineData(DType.BF16, 1000, 1000, 1)]
    [InlineData(DType.F32, 5000, 1103, 5)]
    internal void A_card_computes_the_loss_in_chunks_of_thousands_of_rows(DType dtype, int rows, int chunk, int chunks)
    {
        using var ledger = new Ledger(new RandomSource(1), new LedgerOptions { Device = Device.Meta, Compute = dtype, Trainable = _ => false });
        var head = ledger.Root.Take("head", 152_064, 64);
        using var scope = TensorScope.Open("test");
        var seen = new List<long>();
        Watch("fovea::cross_entropy_in_place", args => seen.Add(((Tensor)args[0].Ref!).Size(0)), () =>
        {
            var hidden = CreateOps.Empty([rows, 64], dtype, Device.Meta);
            LinearCrossEntropy.Queue(hidden, head, CreateOps.Empty([rows], DType.I64, Device.Meta), CreateOps.Empty([rows], DType.F32, Device.Meta));
        });
        Assert.Equal(chunks, seen.Count);
        Assert.Equal(chunk, seen[0]);
        Assert.Equal(rows, seen.Sum());
        Assert.Equal(chunk * 152_064L * dtype.Size(), LinearCrossEntropy.WorkingBytes(head, rows, dtype, onHost: false));
    }

    [Fact]
    public void A_card_takes_all_images_of_a_micro_batch_through_the_frozen_tower_in_one_run()
    {
        using var job = new BigJob(Device.Meta, 2 * BigModel.SampleTokens, kept: 28);
        Assert.True(job.Batch.Grids.Length > 1);
        var calls = 0;
        Watch("fovea::attention", _ => calls++, () => job.DryStep());
        Assert.Equal(32 + 28, calls);
    }

    private static void Watch(string name, Action<Arg[]> seen, Action act)
    {
        Operator.Watcher = (op, args) =>
        {
            if (op.Name == name)
            {
                seen(args.ToArray());
            }
        };
        try
        {
            act();
        }
        finally
        {
            Operator.Watcher = null;
        }
    }
}
