using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen35;

/// <summary>Qwen3.5: vision tower, merger, and a decoder most of whose layers have a recurrence in place of attention.</summary>
internal sealed class Qwen35Model : GridModel
{
    /// <param name="ledger">Names and loads the weights; the spelling is the hub's (<c>model.visual.*</c>, <c>model.language_model.*</c>).</param>
    public Qwen35Model(Ledger ledger, Qwen35Config config)
        : base(ledger, config.Vision.Patches, config.ImageTokenId)
    {
        Config = config;
        Vision = new Qwen35Vision(ledger.Root / "model" / "visual", config.Vision);
        Language = new Qwen35Language(ledger.Root, config);
    }

    public Qwen35Config Config { get; }

    public Qwen35Vision Vision { get; }

    public override GridLanguage Language { get; }

    public override int MaxTokens => Config.MaxPositions;

    public override NameMap Names => NameMap.Same;

    public override bool HasTower => true;

    public override VisualFeatures? TowerFeatures(ModelInput input) => input.Pixels is null ? null : Vision.Encode(input.Pixels, input.Grids);

    public override VisualFeatures Project(VisualFeatures tower, ModelInput input) => tower with { Embeddings = Vision.Merge(tower.Embeddings) };
}
