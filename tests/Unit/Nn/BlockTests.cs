using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tests.Unit.Training;

namespace Fovea.Tests.Unit.Nn;

/// <summary>A block knows its weights by construction, runs what it is handed, and belongs to one model.</summary>
public sealed class BlockTests : NativeTest
{
    // What runs between blocks: small, or needed by no more than one product.
    private static readonly string[] Rest =
    [
        "visual.patch_embed.proj.weight", "model.norm.weight", "lm_head.weight",
        "model.visual.patch_embed.proj.weight", "model.visual.patch_embed.proj.bias", "model.visual.pos_embed.weight", "model.language_model.norm.weight",
        "model.vision_tower.embeddings.patch_embedding.weight", "model.vision_tower.embeddings.patch_embedding.bias",
        "model.vision_tower.embeddings.position_embedding.weight", "model.vision_tower.post_layernorm.weight", "model.vision_tower.post_layernorm.bias",
        "vpm.embeddings.patch_embedding.weight", "vpm.embeddings.patch_embedding.bias", "vpm.embeddings.position_embedding.weight",
        "vpm.post_layernorm.weight", "vpm.post_layernorm.bias", "vpm.patch_embed.proj.weight", "vpm.patch_embed.proj.bias", "vpm.pos_embed",
        "vpm.norm.weight", "vpm.norm.bias", "llm.model.norm.weight", "llm.lm_head.weight",
        "vision_encoder.vision_model.embeddings.patch_embedding.weight", "vision_encoder.vision_model.embeddings.patch_embedding.bias",
        "vision_encoder.vision_model.embeddings.position_embedding.weight", "vision_encoder.vision_model.embeddings.class_embedding",
        "vision_encoder.vision_model.pre_layrnorm.weight", "vision_encoder.vision_model.pre_layrnorm.bias",
        "vision_encoder.vision_model.post_layernorm.weight", "vision_encoder.vision_model.post_layernorm.bias",
    ];

    public static TheoryData<string> Models => [.. EveryModel.Names];

    [Theory]
    [MemberData(nameof(Models))]
    public void Every_weight_belongs_to_one_block_or_to_the_named_rest(string name)
    {
        using var model = EveryModel.Build(name, new ModelOptions());
        var ledger = model.Ledger;
        Adapters.Attach(ledger, new LoraOptions(), _ => true);
        foreach (var parameter in ledger.Parameters)
        {
            Assert.Equal(parameter.Block is null ? [] : [parameter.Block], ledger.Blocks.Where(block => block.Parameters.Contains(parameter)));
            Assert.Equal(parameter.Block, ledger.Blocks.SingleOrDefault(block => IsBelow(parameter.Name, block)));
        }

        Assert.All(ledger.Parameters.Where(p => p.Block is null), p => Assert.Contains(p.Name, Rest));
        Assert.Equal(ledger.AdapterParameters.Where(p => p.Block is not null), ledger.Blocks.SelectMany(block => block.AdapterParameters).OrderBy(Place));
        Assert.All(ledger.Linears, linear => Assert.Equal([linear.Weight.Block, linear.Weight.Block], linear.Lora!.Parameters.Select(p => p.Block)));

        bool IsBelow(string path, Block block) => path.StartsWith(block.Weights.Path + ".", StringComparison.Ordinal);

        int Place(Parameter parameter) => ledger.AdapterParameters.ToList().IndexOf(parameter);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Blocks_come_in_the_order_of_the_forward_pass(string name)
    {
        using var model = EveryModel.Build(name, new ModelOptions());
        var blocks = model.Ledger.Blocks;
        var layers = blocks.Where(block => block.Name.StartsWith("layer projector", StringComparison.Ordinal)).ToList();
        var windows = blocks.Where(block => block.Name == "window merger").ToList();
        var tower = blocks.TakeWhile(block => block.Part == ModelPart.Vision).Except([.. layers, .. windows]).Count();
        Assert.Equal(
            [
                .. Enumerable.Range(0, tower).Select(i => $"vision block {i} {BlockKind.Layer}"),
                $"projector {BlockKind.Single}", $"embeddings {BlockKind.Lookup}",
                .. Enumerable.Range(0, model.Layers).Select(i => $"language block {i} {BlockKind.Layer}"),
            ],
            blocks.Except([.. layers, .. windows]).Select(block => $"{block.Name} {block.Kind}"));

        // What is merged on the way stands behind the block whose output it merges, the second in the small model.
        Assert.All(windows, block => Assert.Equal("vision block 1", blocks[blocks.ToList().IndexOf(block) - 1].Name));

        // What makes features for layers stands behind the block of the tower that it reads.
        Assert.Equal(
            Enumerable.Range(0, model.FeatureLayers).Select(i => $"layer projector {i} {BlockKind.Single} {ModelPart.Vision}"),
            layers.Select(block => $"{block.Name} {block.Kind} {block.Part}"));
    }

    [Fact]
    public void A_block_cannot_begin_inside_another()
    {
        using var ledger = Ledger();
        var outer = (ledger.Root / "outer").Block(ModelPart.Language, "outer");
        var e = Assert.Throws<InvalidOperationException>(() => (outer / "inner").Block(ModelPart.Language, "inner"));
        Assert.Equal("outer.inner is to be the block 'inner', but its weights belong to 'outer'", e.Message);
    }

    [Fact]
    public void A_block_may_give_several_results_in_every_mode()
    {
        var seen = new List<float[]>();
        foreach (var mode in Enum.GetValues<BlockMode>())
        {
            using var scope = TensorScope.Open("test");
            Torch.Seed(2);
            using var ledger = Ledger();
            var block = (ledger.Root / "block").Block(ModelPart.Vision, "block");
            var linear = new Linear(block / "linear", 4, 4, bias: false);
            var gate = new Gate();
            ledger.RunBehind(gate);
            block.Mode = mode;
            var results = block.Run(x => (Tensor[])[linear.Forward(x), linear.Forward(x).Silu()], CreateOps.Ones([3, 4]));
            Assert.Equal(["enter block", "leave block"], gate.Seen);
            Autograd.Backward([results[0].Sum(), results[1].Sum()], null);
            Assert.Equal(["enter block", "leave block", "backward block"], gate.Seen);
            seen.Add(linear.Weight.Value.Grad()!.ToArray<float>());
            linear.Weight.Value.SetGrad(null);
        }

        Assert.Contains(seen[0], value => value != 0);
        Assert.All(seen, gradient => Assert.Equal(seen[0], gradient));
    }

    [Fact]
    public void A_gate_belongs_to_one_model()
    {
        using var first = Ledger();
        using var second = Ledger();
        first.RunBehind(new Gate());
        Assert.Null(second.Gate);
        Assert.Throws<InvalidOperationException>(() => first.RunBehind(new Gate()));
    }

    private static Ledger Ledger() => new(new RandomSource(0.5), new LedgerOptions { Trainable = _ => true });

    private sealed class Gate : IBlockGate
    {
        public List<string> Seen { get; } = [];

        public void Enter(Block block) => Seen.Add($"enter {block.Name}");

        public void Leave(Block block) => Seen.Add($"leave {block.Name}");

        public void EnterBackward(Block block) => Seen.Add($"backward {block.Name}");
    }
}
