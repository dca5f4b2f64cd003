using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniMindV;

/// <summary>MiniMind-V: a frozen CLIP or SigLIP encoder, a projector, and MiniMind's decoder, dense or with experts.</summary>
internal sealed class MiniMindVModel : VisionLanguageModel
{
    /// <param name="ledger">Names and loads the weights; the spelling is generation C's (<see cref="MiniMindVNames"/>).</param>
    public MiniMindVModel(Ledger ledger, MiniMindVConfig config, MoeAuxiliary auxiliary = MoeAuxiliary.Tokens)
        : base(ledger)
    {
        Config = config;
        Language = new MiniMindVLanguage(ledger.Root, config, auxiliary == MoeAuxiliary.Original);
        Vision = new MiniMindVVision(ledger.Root, config.Vision, config.HiddenSize);
    }

    public MiniMindVConfig Config { get; }

    public MiniMindVVision Vision { get; }

    public MiniMindVLanguage Language { get; }

    public override Parameter Head => Language.Embeddings;

    public override int Layers => Config.Layers;

    public override int QueryHeads => Config.Heads;

    public override (int Heads, int Size) KeyValueShape => (Config.KeyValueHeads, Config.HeadSize);

    public override int MaxTokens => Config.MaxPositions;

    public override NameMap Names => MiniMindVFamily.Map;

    public override int MostPatches(int pixels, int tokens) => Config.Vision.Tokens * Math.Max(1, tokens / Config.ImageTokens);

    protected internal override int Place(ReadOnlySpan<long> ids, ReadOnlySpan<ImageGrid> images, int[][] positions, int start)
    {
        for (var i = 0; i < ids.Length; i++)
        {
            positions[0][start + i] = i;
        }

        return ids.Length;
    }

    protected internal override int[][] PositionsAt(int place) => [[place]];

    public override bool HasTower => true;

    public override VisualFeatures? TowerFeatures(ModelInput input) => input.Pixels is null ? null : new VisualFeatures(Vision.Encode(input.Pixels));

    public override VisualFeatures Project(VisualFeatures tower, ModelInput input) => new(Vision.Project(tower.Embeddings));

    public override VisualFeatures? VisionFeatures(ModelInput input) => input.Pixels is null ? null : new VisualFeatures(Vision.Forward(input.Pixels));

    public override ImageGrid UsualImage => new(1, Config.Vision.Side, Config.Vision.Side);

    public override int PatchLength => Config.Vision.PatchLength;

    public override int FeatureRows(ImageGrid grid) => grid.Patches;

    /// <summary>CLIP has a row for its class too.</summary>
    public override IEnumerable<int[]> VisionRows(ModelInput input) =>
        Config.Vision.IsClip ? base.VisionRows(input).Prepend([.. input.Grids.Select(grid => grid.Patches + 1)]) : base.VisionRows(input);

    public override Tensor Hidden(ModelInput input, VisualFeatures? features) => Language.Forward(input, features?.At(input));

    /// <summary>Generation A balances its experts sample by sample, C over all samples of a batch.</summary>
    protected internal override IReadOnlyList<TokenGroup> GroupsOf(PackedBatch batch)
    {
        if (!Config.UseMoe)
        {
            return [];
        }

        var groups = new List<TokenGroup>();
        for (var sample = 0; sample < batch.Samples; sample++)
        {
            var group = new TokenGroup(batch.CuSeqlens[sample], batch.CuSeqlens[sample + 1], batch.SampleWeight[sample]);
            var joins = Config.Generation == MiniMindVGeneration.C && sample > 0 && batch.SampleGroup[sample] == batch.SampleGroup[sample - 1];
            if (joins)
            {
                groups[^1] = groups[^1] with { End = group.End, Weight = groups[^1].Weight + group.Weight };
            }
            else
            {
                groups.Add(group);
            }
        }

        return groups;
    }
}
