using Fovea.Models.Grids;
using Fovea.Nn;

namespace Fovea.Models.Qwen25Vl;

/// <summary>Qwen2.5-VL: vision tower, merger and Qwen2 decoder with M-RoPE.</summary>
internal sealed class Qwen25VlModel : GridModel
{
    /// <param name="ledger">Names and loads the weights; the spelling is the hub's (<c>visual.*</c>, <c>model.*</c>, <c>lm_head.weight</c>).</param>
    public Qwen25VlModel(Ledger ledger, Qwen25VlConfig config)
        : base(ledger, config.Vision.Patches, config.ImageTokenId)
    {
        Config = config;
        Vision = new Qwen25VlVision(ledger.Root / "visual", config.Vision);
        Language = new Qwen25VlLanguage(ledger.Root, config);
    }

    public Qwen25VlConfig Config { get; }

    public Qwen25VlVision Vision { get; }

    public override GridLanguage Language { get; }

    public override int MaxTokens => Config.MaxPositions;

    public override NameMap Names => FlatNames.Map;

    public override VisualFeatures? VisionFeatures(ModelInput input) =>
        input.Pixels is null ? null : new VisualFeatures(Vision.Forward(input.Pixels, input.Grids));
}
