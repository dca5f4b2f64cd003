using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Qwen25Vl;

/// <summary>Qwen2.5-VL: vision tower, merger and Qwen2 decoder with M-RoPE.</summary>
public sealed class Qwen25VlModel : VisionLanguageModel
{
    /// <param name="ledger">Names and loads the weights; the spelling is the hub's (<c>visual.*</c>, <c>model.*</c>, <c>lm_head.weight</c>).</param>
    public Qwen25VlModel(Ledger ledger, Qwen25VlConfig config)
        : base(ledger)
    {
        Config = config;
        Vision = new Qwen25VlVision(ledger.Root / "visual", config.Vision);
        Language = new Qwen25VlLanguage(ledger.Root, config);
    }

    public Qwen25VlConfig Config { get; }

    public Qwen25VlVision Vision { get; }

    public Qwen25VlLanguage Language { get; }

    public override Parameter Head => Language.Head;

    public override int Layers => Config.Layers;

    public override int MaxTokens => Config.MaxPositions;

    public override NameMap Names => Qwen25VlFamily.Map;

    public override int MostPatches(int pixels, int tokens)
    {
        var (patch, merge) = (Config.Vision.PatchSize, Config.Vision.MergeSize);
        return Math.Min(pixels / (patch * patch), merge * merge * tokens);
    }

    public override ModelInput Prepare(PackedBatch batch)
    {
        var positions = new[] { new int[batch.Tokens], new int[batch.Tokens], new int[batch.Tokens] };
        for (var sample = 0; sample < batch.Samples; sample++)
        {
            var (start, end) = (batch.CuSeqlens[sample], batch.CuSeqlens[sample + 1]);
            var ids = batch.Ids.AsSpan(start, end - start);
            var images = batch.Grids.AsSpan(batch.ImageStarts[sample]..batch.ImageStarts[sample + 1]);
            MultimodalRotary.Place(ids, images, Config, positions, start);
        }

        var slots = Array.ConvertAll(batch.ImageSlots, slot => (long)slot);
        return new ModelInput
        {
            Ids = CreateOps.On(Device, batch.Ids),
            Positions = positions,
            Attention = new PackedAttention(new Segments(batch.CuSeqlens).On(Device)),
            Pixels = batch.Patches == 0
                ? null
                : CreateOps.On<float>(Device, batch.Pixels.AsSpan(0, batch.Patches * batch.PatchLength), batch.Patches, batch.PatchLength),
            Grids = batch.Grids,
            ImageSlots = slots.Length == 0 ? null : CreateOps.On(Device, slots),
        };
    }

    public override ModelInput PreparePrompt(
        ReadOnlySpan<long> ids, IReadOnlyList<PromptImage> images, int from, IAttentionPlan attention, out int next)
    {
        var positions = new[] { new int[ids.Length], new int[ids.Length], new int[ids.Length] };
        next = MultimodalRotary.Place(ids, images.Select(i => i.Image.Grid).ToArray(), Config, positions, 0);
        var later = images.Where(i => i.Offset >= from).ToList();
        var patches = later.Sum(i => i.Image.Grid.Patches);
        var pixels = Pixels(later);
        var slots = later.SelectMany(i => Enumerable.Range(i.Offset - from, i.Tokens)).Select(slot => (long)slot).ToArray();
        return new ModelInput
        {
            Ids = CreateOps.On(Device, ids[from..]),
            Positions = Array.ConvertAll(positions, axis => axis[from..]),
            Attention = attention,
            Pixels = later.Count == 0 ? null : CreateOps.On(Device, pixels, patches, pixels.Length / patches),
            Grids = [.. later.Select(i => i.Image.Grid)],
            ImageSlots = later.Count == 0 ? null : CreateOps.On(Device, slots),
        };
    }

    public override ModelInput PrepareNext(long id, int place, IAttentionPlan attention) => new()
    {
        Ids = CreateOps.On(Device, [id]),
        Positions = [[place], [place], [place]],
        Attention = attention,
    };

    public override Tensor? VisionFeatures(ModelInput input) =>
        input.Pixels is null ? null : Vision.Forward(input.Pixels, input.Grids);

    public override ImageGrid UsualImage => new(1, 16 * Config.Vision.MergeSize, 16 * Config.Vision.MergeSize);

    public override int PatchLength => Config.Vision.PatchLength;

    public override int FeatureRows(ImageGrid grid) => grid.MergedTokens(Config.Vision.MergeSize);

    public override Tensor Hidden(ModelInput input, Tensor? features) =>
        Language.Forward(input.Ids, input.Positions, input.Attention, features, input.ImageSlots, input.Wanted);

    private static float[] Pixels(List<PromptImage> images)
    {
        var pixels = new float[images.Sum(i => i.Image.Patches.Length)];
        var at = 0;
        foreach (var image in images)
        {
            image.Image.Patches.CopyTo(pixels, at);
            at += image.Image.Patches.Length;
        }

        return pixels;
    }
}
