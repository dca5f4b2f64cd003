using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen3Vl;

/// <summary>Qwen3-VL: vision tower with features for several layers, merger, and Qwen3 decoder with interleaved M-RoPE.</summary>
internal sealed class Qwen3VlModel : GridModel
{
    /// <param name="ledger">Names and loads the weights; the spelling is the hub's (<c>model.visual.*</c>, <c>model.language_model.*</c>).</param>
    public Qwen3VlModel(Ledger ledger, Qwen3VlConfig config)
        : base(ledger, config.Vision.Patches, config.ImageTokenId)
    {
        Config = config;
        Vision = new Qwen3VlVision(ledger.Root / "model" / "visual", config.Vision);
        Language = new Qwen3VlLanguage(ledger.Root, config);
    }

    public Qwen3VlConfig Config { get; }

    public Qwen3VlVision Vision { get; }

    public override GridLanguage Language { get; }

    public override int MaxTokens => Config.MaxPositions;

    public override NameMap Names => NameMap.Same;

    public override int FeatureLayers => Config.Vision.FeatureBlocks.Length;

    public override bool HasTower => true;

    public override VisualFeatures? TowerFeatures(ModelInput input) => input.Pixels is null ? null : Vision.Encode(input.Pixels, input.Grids);

    public override VisualFeatures Project(VisualFeatures tower, ModelInput input) => tower with { Embeddings = Vision.Merge(tower.Embeddings) };
}
