using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniMindV;

/// <summary>MiniMind-V: a frozen CLIP or SigLIP encoder, a projector, and MiniMind's decoder, dense or with experts.</summary>
public sealed class MiniMindVModel : VisionLanguageModel
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

    public override int MaxTokens => Config.MaxPositions;

    public override NameMap Names => MiniMindVFamily.Map;

    public override int MostPatches(int pixels, int tokens) => Config.Vision.Tokens * Math.Max(1, tokens / Config.ImageTokens);

    public override ModelInput Prepare(PackedBatch batch)
    {
        var positions = new int[batch.Tokens];
        for (var sample = 0; sample < batch.Samples; sample++)
        {
            for (var i = batch.CuSeqlens[sample]; i < batch.CuSeqlens[sample + 1]; i++)
            {
                positions[i] = i - batch.CuSeqlens[sample];
            }
        }

        var slots = Array.ConvertAll(batch.ImageSlots, slot => (long)slot);
        return new ModelInput
        {
            Ids = CreateOps.On(Device, batch.Ids),
            Positions = [positions],
            Attention = new PackedAttention(new Segments(batch.CuSeqlens).On(Device)),
            Pixels = batch.Patches == 0
                ? null
                : CreateOps.On<float>(Device, batch.Pixels.AsSpan(0, batch.Patches * batch.PatchLength), batch.Patches, batch.PatchLength),
            Grids = batch.Grids,
            ImageSlots = slots.Length == 0 ? null : CreateOps.On(Device, slots),
            FeatureRows = FeatureRows(batch),
            Groups = Config.UseMoe ? Groups(batch) : [],
        };
    }

    public override ModelInput PreparePrompt(
        ReadOnlySpan<long> ids, IReadOnlyList<PromptImage> images, int from, IAttentionPlan attention, out int next)
    {
        next = ids.Length;
        var later = images.Where(i => i.Offset >= from).ToList();
        var pixels = later.SelectMany(i => i.Image.Patches).ToArray();
        var slots = later.SelectMany(i => Enumerable.Range(i.Offset - from, i.Tokens)).Select(slot => (long)slot).ToArray();
        return new ModelInput
        {
            Ids = CreateOps.On(Device, ids[from..]),
            Positions = [[.. Enumerable.Range(from, ids.Length - from)]],
            Attention = attention,
            Pixels = later.Count == 0 ? null : CreateOps.On(Device, pixels, pixels.Length / Config.Vision.PatchLength, Config.Vision.PatchLength),
            Grids = [.. later.Select(i => i.Image.Grid)],
            ImageSlots = later.Count == 0 ? null : CreateOps.On(Device, slots),
        };
    }

    public override ModelInput PrepareNext(long id, int place, IAttentionPlan attention) => new()
    {
        Ids = CreateOps.On(Device, [id]),
        Positions = [[place]],
        Attention = attention,
    };

    public override bool HasTower => true;

    public override Tensor? TowerFeatures(ModelInput input) => input.Pixels is null ? null : Vision.Encode(input.Pixels);

    public override Tensor Project(Tensor tower, ModelInput input) => Vision.Project(tower);

    public override Tensor? VisionFeatures(ModelInput input) => input.Pixels is null ? null : Vision.Forward(input.Pixels);

    public override ImageGrid UsualImage => new(1, Config.Vision.Side, Config.Vision.Side);

    public override int PatchLength => Config.Vision.PatchLength;

    public override int FeatureRows(ImageGrid grid) => grid.Patches;

    public override Tensor Hidden(ModelInput input, Tensor? features) => Language.Forward(input, features);

    /// <summary>An image that lost tokens to the cutoff makes all its features; the first of them stand in the stream. Null where none did.</summary>
    private Tensor? FeatureRows(PackedBatch batch)
    {
        if (Array.TrueForAll(batch.ImageTokens, tokens => tokens == Config.ImageTokens))
        {
            return null;
        }

        var rows = new long[batch.ImageSlots.Length];
        var slot = 0;
        for (var image = 0; image < batch.ImageTokens.Length; image++)
        {
            for (var token = 0; token < batch.ImageTokens[image]; token++)
            {
                rows[slot++] = ((long)image * Config.ImageTokens) + token;
            }
        }

        return CreateOps.On(Device, rows);
    }

    /// <summary>Generation A balances its experts sample by sample, C over all samples of a batch.</summary>
    private List<TokenGroup> Groups(PackedBatch batch)
    {
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
