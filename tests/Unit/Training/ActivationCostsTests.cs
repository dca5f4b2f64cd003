using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Training.Config;
using Fovea.Training.Planning;

namespace Fovea.Tests.Unit.Training;

/// <summary>What the meta device foretells is what the CPU holds: the same kernels save the same tensors on both, for every family and in every mode.</summary>
public sealed class ActivationCostsTests : NativeTest
{
    public static TheoryData<string, string> Models =>
        [.. EveryModel.Names.Append(EveryModel.Layered).SelectMany(name => (string[])["full", "lora", "dropout"], (name, kind) => (name, kind))];

    [Theory]
    [MemberData(nameof(Models))]
    [Trait("Category", "Long")]
    public void A_measured_pass_holds_what_a_real_one_does(string name, string kind)
    {
        var config = TrainConfig.Parse("model_name_or_path: m\ndataset: d.json\noutput_dir: o\n", "test");
        foreach (var type in new[] { DType.F32, DType.BF16 })
        {
            using var dropout = kind == "dropout" ? new DropoutStream(0.1, 1) : null;
            using var model = EveryModel.Build(name, new ModelOptions { Compute = type, Trainable = (_, _) => kind == "full" });
            if (kind != "full")
            {
                Adapters.Attach(model.Ledger, new LoraOptions(), path => IsOfDecoder(model, path), dropout: dropout);
            }

            var plan = ActivationPlan.For(model, config, 1L << 40);
            foreach (var mode in Enum.GetValues<BlockMode>())
            {
                foreach (var block in model.Ledger.Blocks)
                {
                    block.Mode = mode;
                }

                var modes = model.Ledger.Blocks.ToDictionary(block => block, _ => mode);
                var (tokens, images) = (300, kind == "full" ? 3 : 0);
                var patches = images * model.UsualImage.Patches;
                var foretold = plan.Predict(modes, tokens, patches);
                var held = Held(model, dropout, tokens, images) + (kind == "full" && type == DType.BF16 ? model.Head.Count * 2 : 0); // the loss's copy

                // Tables of angles and ids lie in managed memory on the CPU, which libtorch's count does not see: a few per cent of so little.
                TestContext.Current.TestOutputHelper?.WriteLine($"{name} {kind} {type} {mode}: {foretold} foretold, {held} held, {(double)foretold / held:F4}");
                // What a block before the first moved one keeps besides (MiniMind-V's patches) is then no longer part of an input.
                var (least, most) = mode switch { BlockMode.Offload => (0.99, 1.2), BlockMode.Recompute => (0.999, 1.09), _ => (0.999, 1.03) };
                Assert.InRange((double)foretold / held, least, most);
            }
        }
    }

    [Fact]
    public void On_a_card_the_plan_counts_what_the_kernels_of_a_delta_rule_work_in()
    {
        const string name = "qwen3_5";
        using var model = EveryModel.Build(name, new ModelOptions { Compute = DType.BF16, Trainable = (_, _) => true });
        Assert.All(ActivationCosts.Measure(model, 0, onHost: true).Blocks, cost => Assert.Equal(default, cost.Working));
        var blocks = ActivationCosts.Measure(model, 0, onHost: false).Blocks.Where(cost => cost.Block.Part == ModelPart.Language).ToList();
        var working = blocks.Where(cost => cost.Working != default).ToList();
        Assert.NotEmpty(blocks);
        Assert.Equal(blocks.Count / 4 * 3, working.Count); // every fourth layer attends
        Assert.All(working, cost => Assert.True(cost.Working.Of(4096) > 4096 * 4 * 32, $"{cost.Working}"));
        var config = TrainConfig.Parse("model_name_or_path: m\ndataset: d.json\noutput_dir: o\n", "test");
        var plan = ActivationPlan.For(model, config, 1L << 40, 0, false);
        var modes = model.Ledger.Blocks.ToDictionary(block => block, _ => BlockMode.Keep);
        Assert.True(plan.Working(modes, 4096, 0) >= working.Max(cost => (long)(cost.Keep.EachRow * 4096) + cost.Working.Of(4096)));
    }

    private static bool IsOfDecoder(VisionLanguageModel model, string path) =>
        model.Ledger.Linears.FirstOrDefault(linear => linear.Path == path)?.Weight.Block?.Part == ModelPart.Language;

    private static long Held(VisionLanguageModel model, DropoutStream? dropout, int tokens, int images)
    {
        using var scope = TensorScope.Open("micro-batch");
        using var casts = new AdapterCopies(model.Ledger).Open();
        dropout?.Begin(0, new long[tokens], new int[tokens]);
        using var count = MemoryCount.Start();
        using var batch = new PackedBatch
        {
            Ids = new long[tokens], CuSeqlens = [0, tokens], SampleIndices = [0], SampleGroup = [0], SampleWeight = [1], Grids = [], ImagePaths = [],
            ImageStarts = [0, 0], ImageTokens = [], ImageSlots = [], LossIndex = [], Targets = [],
        };
        var input = model.Prepare(batch) with { ImageSlots = CreateOps.From([0L]), Side = new SideLosses() };
        VisualFeatures? features = null;
        if (images > 0)
        {
            features = model.VisionFeatures(input with
            {
                Pixels = CreateOps.Zeros([(long)images * model.UsualImage.Patches, model.PatchLength]),
                Grids = [.. Enumerable.Repeat(model.UsualImage, images)],
                ImagesOfSamples = [images],
            })!.Slice(0, 1, 0, 1);
        }

        model.Hidden(input, features ?? new VisualFeatures(Feature(), [.. Enumerable.Range(0, model.FeatureLayers).Select(_ => Feature())]));
        return count.Live - model.Ledger.HostInputs.Bytes; // on a GPU those are elsewhere

        Tensor Feature() => CreateOps.Zeros([1, model.Head.Shape[1]], model.Ledger.Options.Compute);
    }
}
