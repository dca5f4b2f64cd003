using Fovea.Bench;
using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Testing;

namespace Fovea.Tests.Unit.Devices;

/// <summary>
/// The meta device stands in for a GPU: a training step at the true dimensions of Qwen2.5-VL-7B must never call an operator with tensors of the CPU and
/// of the other device together, and must never read a result.
/// </summary>
public sealed class MetaStepTests : NativeTest
{
    // These exist to move values between devices.
    private static readonly string[] Movers = ["aten::to", "aten::copy_"];

    [Theory]
    [InlineData(28)]
    [InlineData(3)]
    public void A_step_never_mixes_tensors_of_two_devices(int keptBlocks)
    {
        List<string> mixed = [];
        var calls = 0;
        Operator.Watcher = (op, args) =>
        {
            calls++;
            Look(op, args, mixed);
        };
        try
        {
            using var job = new BigJob(Device.Meta, BigModel.SampleTokens, keptBlocks);
            Assert.Equal(job.Model.Ledger.Trainable.Count(), job.DryStep());
            Assert.Equal(0, job.DryStep() - job.Model.Ledger.Trainable.Count());
        }
        finally
        {
            Operator.Watcher = null;
        }

        Assert.True(calls > 1000, $"only {calls} calls were seen");
        Assert.Empty(mixed);
    }

    [Theory]
    [InlineData("qwen3_vl_configs/8b", 151655)]
    [InlineData("qwen3_5_configs/9b", 248056)]
    public void A_pass_with_an_image_never_mixes_tensors_of_two_devices(string golden, long imageToken)
    {
        // Rows that are looked up and layer norms have no backward on the meta device: the vision side goes forward only.
        using var scope = TensorScope.Open("test");
        using var model = ModelSource.Open(TestFiles.Golden(golden)).Build(new MetaSource(), new ModelOptions
        {
            Compute = DType.BF16,
            Device = Device.Meta,
            BlockMode = BlockMode.Recompute,
            Trainable = (part, name) => part == ModelPart.Language && !name.Contains("embed_tokens", StringComparison.Ordinal),
        });
        var (grid, tokens) = (model.UsualImage, model.FeatureRows(model.UsualImage));
        long[] ids = [1, .. Enumerable.Repeat(imageToken, tokens), 2, 3];
        using var batch = new PackedBatch
        {
            Ids = ids, CuSeqlens = [0, ids.Length], SampleIndices = [0], SampleGroup = [0], SampleWeight = [1], Grids = [grid], ImagePaths = ["image"],
            ImageStarts = [0, 1], ImageTokens = [tokens], ImageSlots = [.. Enumerable.Range(1, tokens)], LossIndex = [], Targets = [],
        };
        batch.AllocatePixels(grid.Patches, model.PatchLength);
        List<string> mixed = [];
        Operator.Watcher = (op, args) => Look(op, args, mixed);
        try
        {
            var input = model.Prepare(batch);
            Autograd.Backward([model.Hidden(input, model.VisionFeatures(input)).Sum()], null);
        }
        finally
        {
            Operator.Watcher = null;
        }

        Assert.Empty(mixed);

        // All but the head, which makes logits of hidden states.
        Assert.Equal([model.Head], model.Ledger.Trainable.Where(parameter => parameter.Value.Grad() is null));
    }

    [Fact]
    public void A_tensor_of_the_CPU_among_others_is_found()
    {
        using var scope = TensorScope.Open("test");
        List<string> mixed = [];
        var (there, here, number) = (CreateOps.Empty([4], DType.F32, Device.Meta), CreateOps.Ones([4]), CreateOps.Ones([]));
        Operator.Watcher = (op, args) => Look(op, args, mixed);
        try
        {
            there.Mul(number);
            Assert.Empty(mixed);
            Assert.Throws<TorchException>(() => there.RmsNorm(here, 1e-6));
            Assert.Contains("fovea::rms_norm", Assert.Single(mixed));
        }
        finally
        {
            Operator.Watcher = null;
        }
    }

    [Fact]
    public void Attention_away_from_the_CPU_needs_its_boundaries_there()
    {
        using var scope = TensorScope.Open("test");
        var x = CreateOps.Empty([8, 2, 16], DType.BF16, Device.Meta);
        var e = Assert.Throws<TorchException>(() => NetOps.PackedAttention(x, x, x, [0, 8], true, 1, CreateOps.From([0, 8])));
        Assert.Contains("boundaries are needed there too", e.Message);
        Assert.Equal([8, 2, 16], NetOps.PackedAttention(x, x, x, [0, 8], true, 1, CreateOps.On(Device.Meta, [0, 8])).Shape);
    }

    [Fact]
    public void The_7b_model_has_as_many_parameters_as_the_published_one()
    {
        using var model = BigModel.Build(new ModelOptions { Compute = DType.BF16, Device = Device.Meta });
        Assert.Equal(8_292_166_656, model.Ledger.Count);
    }

    [Fact]
    public void Operations_are_counted_as_the_definition_says()
    {
        using var job = new BigJob(Device.Meta, 2048, 28);
        var count = job.Count;
        const double decoder = 28.0 * ((2 * 3584 * 3584) + (2 * 3584 * 512) + (3 * 3584 * 18944));
        Assert.Equal(decoder, count.DecoderWeights);
        Assert.Equal(152064.0 * 3584, count.HeadWeights);
        var vision = 2.0 * ((count.VisionWeights * 2048.0) + (count.MergerWeights * 512.0));
        Assert.Equal((4 * decoder * 2048) + (4 * 152064.0 * 3584 * 1024) + vision, count.Flop, 1e6);
    }

    [Theory]
    [InlineData("NVIDIA H100 80GB HBM3", 989.0)]
    [InlineData("NVIDIA H100 PCIe", 756.0)]
    [InlineData("NVIDIA A100-SXM4-80GB", 312.0)]
    public void The_rate_of_a_card_is_known_by_its_name(string name, double expected)
    {
        Assert.Equal(expected, BigBench.PeakOf(name));
        Assert.Null(BigBench.PeakOf("a card of tomorrow"));
    }

    private static void Look(Operator op, ReadOnlySpan<Arg> args, List<string> mixed)
    {
        var devices = new HashSet<DeviceType>();
        foreach (ref readonly var arg in args)
        {
            foreach (var tensor in arg.Tensors)
            {
                if (tensor.Rank > 0 || tensor.Device.Type != DeviceType.Cpu)
                {
                    devices.Add(tensor.Device.Type);
                }
            }
        }

        if (devices.Count > 1 && !Movers.Contains(op.Name))
        {
            mixed.Add(op.ToString());
        }
    }
}
