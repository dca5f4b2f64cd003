using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen2Vl;

/// <summary>Qwen2-VL: vision tower, merger and Qwen2 decoder with M-RoPE.</summary>
internal sealed class Qwen2VlModel : GridModel
{
    /// <param name="ledger">Names and loads the weights; the spelling is the hub's (<c>visual.*</c>, <c>model.*</c>, <c>lm_head.weight</c>).</param>
    public Qwen2VlModel(Ledger ledger, Qwen2VlConfig config)
        : base(ledger, config.Vision.Patches, config.ImageTokenId)
    {
        Config = config;
        Vision = new Qwen2VlVision(ledger.Root / "visual", config.Vision);
        Language = new Qwen2VlLanguage(ledger.Root, config);
    }

    public Qwen2VlConfig Config { get; }

    public Qwen2VlVision Vision { get; }

    public override GridLanguage Language { get; }

    public override int MaxTokens => Config.MaxPositions;

    public override NameMap Names => FlatNames.Map;

    public override bool HasTower => true;

    public override VisualFeatures? TowerFeatures(ModelInput input) =>
        input.Pixels is null ? null : new VisualFeatures(Vision.Encode(input.Pixels, input.Grids));

    public override VisualFeatures Project(VisualFeatures tower, ModelInput input) => new(Vision.Merge(tower.Embeddings));
}
