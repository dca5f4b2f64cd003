using Fovea.Data.Images;
using Fovea.Models;
using Fovea.Nn;

namespace Fovea.Tests.Unit.Training;

/// <summary>
/// A small model whose tower gives features of their own to the first two layers of the decoder, and of whose image tokens each is four patches. Random
/// weights; its ids fit the mid benchmark's batch.
/// </summary>
internal sealed class LayeredModel : VisionLanguageModel
{
    private const int Width = 64;
    private const int TowerWidth = 32;
    private const int Merge = 2;
    private readonly Linear patches;
    private readonly TowerBlock[] tower;
    private readonly Merger[] layers;
    private readonly Merger merger;
    private readonly Decoder decoder;

    private LayeredModel(Ledger ledger, int decoderLayers, bool keepsLayers)
        : base(ledger)
    {
        var w = ledger.Root / "visual";
        (Layers, FeatureLayers) = (decoderLayers, keepsLayers ? 2 : 0);
        patches = new Linear(w / "patch_embed", PatchLength, TowerWidth, bias: false);
        (tower, layers) = (new TowerBlock[2], new Merger[2]);
        for (var i = 0; i < tower.Length; i++)
        {
            tower[i] = new TowerBlock((w / "blocks" / i).Block(ModelPart.Vision, $"vision block {i}"));
            layers[i] = new Merger((w / "layers" / i).Block(ModelPart.Vision, $"layer projector {i}", BlockKind.Single));
        }

        merger = new Merger((w / "merger").Block(ModelPart.Projector, "projector", BlockKind.Single));
        decoder = new Decoder(ledger.Root, new DecoderShape
        {
            Width = Width, Inner = 96, Layers = decoderLayers, Heads = 4, KeyValueHeads = 2, HeadSize = 16, VocabularySize = 32000, NormEpsilon = 1e-6,
            TiedEmbeddings = true,
        });
    }

    public override Parameter Head => decoder.Head;

    public override int Layers { get; }

    public override int QueryHeads => 4;

    public override (int Heads, int Size) KeyValueShape => (2, 16);

    public override int MaxTokens => 4096;

    public override NameMap Names => NameMap.Same;

    public override bool HasTower => true;

    public override int FeatureLayers { get; }

    public override ImageGrid UsualImage => new(1, 16, 16);

    public override int PatchLength => 1176;

    /// <param name="keepsLayers">Whether the features of layers are handed out.</param>
    public static LayeredModel Build(ModelOptions options, int decoderLayers = 3, bool keepsLayers = true)
    {
        Torch.Seed(3);
        return new LayeredModel(new Ledger(new RandomSource(0.1), options.ForLedger(PartOf, NameMap.Same)), decoderLayers, keepsLayers);
    }

    public override int FeatureRows(ImageGrid grid) => grid.MergedTokens(Merge);

    public override int MostPatches(int pixels, int tokens) => Merge * Merge * tokens;

    public override VisualFeatures? TowerFeatures(ModelInput input)
    {
        if (input.Pixels is null)
        {
            return null;
        }

        var x_PV = patches.Forward(input.Pixels.To(Ledger.Options.Compute));
        var perLayer = new Tensor[layers.Length];
        for (var i = 0; i < tower.Length; i++)
        {
            x_PV = tower[i].Forward(x_PV);
            perLayer[i] = layers[i].Forward(x_PV);
        }

        return new VisualFeatures(x_PV, perLayer[..FeatureLayers]);
    }

    public override VisualFeatures Project(VisualFeatures tower, ModelInput input) => tower with { Embeddings = merger.Forward(tower.Embeddings) };

    public override VisualFeatures? VisionFeatures(ModelInput input) => TowerFeatures(input) is { } made ? Project(made, input) : null;

    public override Tensor Hidden(ModelInput input, VisualFeatures? features) => Hidden(input, features, null);

    /// <param name="watch">Sees the input and the output of every block of the decoder.</param>
    public Tensor Hidden(ModelInput input, VisualFeatures? features, Action<string, Tensor>? watch) =>
        decoder.Forward(input.Ids, Angles(input.Positions[0], input.Ids.Device), input.Attention, features?.At(input), input.Wanted, watch: watch);

    protected internal override int Place(ReadOnlySpan<long> ids, ReadOnlySpan<ImageGrid> images, int[][] positions, int start)
    {
        for (var i = 0; i < ids.Length; i++)
        {
            positions[0][start + i] = i;
        }

        return ids.Length;
    }

    protected internal override int[][] PositionsAt(int place) => [[place]];

    private static ModelPart PartOf(string name) => name.StartsWith("visual.merger", StringComparison.Ordinal) ? ModelPart.Projector
        : name.StartsWith("visual.", StringComparison.Ordinal) ? ModelPart.Vision
        : ModelPart.Language;

    private static Rotary Angles(int[] positions, Device device)
    {
        var frequencies = Rotary.InverseFrequencies(16, 10000);
        var angles = positions.SelectMany(position => frequencies.Concat(frequencies).Select(frequency => position * frequency)).ToArray();
        var table = CreateOps.On(device, angles, positions.Length, 16);
        return new Rotary(table.Cos(), table.Sin());
    }

    private sealed class TowerBlock(Block block)
    {
        private readonly RmsNorm norm = new(block / "norm", TowerWidth, 1e-6);
        private readonly GatedMlp mlp = new(block / "mlp", TowerWidth, 48, bias: false);

        public Tensor Forward(Tensor x_PV) => block.Run(x => x.Add(mlp.Forward(norm.Forward(x))), x_PV);
    }

    private sealed class Merger(Block block)
    {
        private readonly Linear linear = new(block / "linear", Merge * Merge * TowerWidth, Width);

        public Tensor Forward(Tensor x_PV) => block.Run(x => linear.Forward(x.View(-1, Merge * Merge * TowerWidth)), x_PV);
    }
}
