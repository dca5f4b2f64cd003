using Fovea.Data.Images;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniCpmV;

/// <summary>MiniCPM-V of any version: vision tower, resampler and language model.</summary>
internal sealed class MiniCpmVModel : VisionLanguageModel
{
    private readonly bool padsAsOriginal;
    private readonly MiniCpmVOptions options;

    /// <param name="ledger">Names and loads the weights; the spelling is the hub's (<c>vpm.*</c>, <c>resampler.*</c>, <c>llm.*</c>).</param>
    /// <param name="options">Say whether V-2.5's padding is seen by its vision tower, as in the original; null is their defaults.</param>
    public MiniCpmVModel(Ledger ledger, MiniCpmVConfig config, MiniCpmVOptions? options = null)
        : base(ledger)
    {
        Config = config;
        this.options = options ?? new MiniCpmVOptions();
        padsAsOriginal = this.options.VisionMask == VisionMask.Original && config.Vision.Kind == MiniCpmVVisionKind.OneRow;
        Vision = new MiniCpmVVision(ledger.Root / "vpm", config.Vision);
        Resampler = new Resampler(ledger.Root / "resampler", config);
        Language = new MiniCpmVLanguage(ledger.Root / "llm", config);
    }

    public MiniCpmVConfig Config { get; }

    public MiniCpmVVision Vision { get; }

    public Resampler Resampler { get; }

    public MiniCpmVLanguage Language { get; }

    public override Parameter Head => Language.Head;

    public override int Layers => Config.Language.Layers;

    public override int QueryHeads => Config.Language.Heads;

    public override (int Heads, int Size) KeyValueShape => (Config.Language.KeyValueHeads, Config.Language.HeadSize);

    public override int MaxTokens => Config.MaxPositions;

    public override bool ImagesStandAlone => !padsAsOriginal;

    public override NameMap Names => NameMap.Same;

    /// <summary>The second axis is the length of the sample, on which dynamic scaling of the rotary angles depends.</summary>
    protected internal override int Place(ReadOnlySpan<long> ids, ReadOnlySpan<ImageGrid> images, int[][] positions, int start)
    {
        for (var i = 0; i < ids.Length; i++)
        {
            (positions[0][start + i], positions[1][start + i]) = (i, ids.Length);
        }

        return ids.Length;
    }

    protected internal override int[][] PositionsAt(int place) => [[place], [place + 1]];

    public override bool HasTower => true;

    public override VisualFeatures? TowerFeatures(ModelInput input) => input.Pixels is null
        ? null
        : new VisualFeatures(Vision.Forward(input.Pixels, input.Grids, padsAsOriginal ? Padded(input.Grids, input.ImagesOfSamples) : null));

    public override VisualFeatures Project(VisualFeatures tower, ModelInput input) => new(Resampler.Forward(tower.Embeddings, input.Grids));

    public override ImageGrid UsualImage => new(1, Config.Slicing.Resolution / Config.Slicing.PatchSize, Config.Slicing.Resolution / Config.Slicing.PatchSize);

    public override int PatchLength => Config.Vision.PatchLength;

    public override int FeatureRows(ImageGrid grid) => Config.Queries;

    /// <summary>The tower sees padding where the original's does.</summary>
    public override IEnumerable<int[]> VisionRows(ModelInput input) =>
        padsAsOriginal ? base.VisionRows(input).Prepend(Padded(input.Grids, input.ImagesOfSamples)) : base.VisionRows(input);

    /// <summary>Slices have the area of the model's resolution; where there are several, the whole image is one more.</summary>
    public override int MostPatches(int pixels, int tokens)
    {
        var most = options.MaxSliceNums ?? Config.Slicing.MaxSlices;
        var side = Config.Slicing.Resolution / Config.Slicing.PatchSize;
        return side * side * Math.Clamp(tokens / Config.Queries, 1, most == 1 ? 1 : most + 1);
    }

    public override Tensor Hidden(ModelInput input, VisualFeatures? features) =>
        Language.Forward(input.Ids, input.Positions[0], input.Positions[1], input.Attention, features?.At(input), input.Wanted);

    /// <summary>The original pads the slices of a batch to the longest; its scripts train on batches of one sample, so that is the batch here.</summary>
    private static int[] Padded(IReadOnlyList<ImageGrid> grids, IReadOnlyList<int>? imagesOfSamples)
    {
        var padded = new int[grids.Count];
        var start = 0;
        foreach (var count in imagesOfSamples ?? [grids.Count])
        {
            if (count > 0)
            {
                Array.Fill(padded, grids.Skip(start).Take(count).Max(grid => grid.Patches), start, count);
                start += count;
            }
        }

        return padded;
    }
}
