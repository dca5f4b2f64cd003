using Fovea.Keys;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>What of the model is trained, and how.</summary>
public sealed record TuningSection
{
    /// <summary>Instructions (<c>sft</c>), or the first training of the projector on pairs of image and caption (<c>pretrain</c>).</summary>
    [Affects(Learning)] public TrainingStage Stage { get; init; } = TrainingStage.Sft;

    /// <summary>Adapters, everything, or some layers.</summary>
    [Affects(Learning)] public FinetuningType FinetuningType { get; init; } = FinetuningType.Lora;

    /// <summary>Rank of the adapters.</summary>
    [Alias("lora_r"), Bounds(1, 65536)]
    [Affects(Learning)] public int LoraRank { get; init; } = 8;

    /// <summary>Null is twice the rank; see <see cref="EffectiveLoraAlpha"/>.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Learning)] public double? LoraAlpha { get; init; }

    /// <summary>Part of an adapter's inputs that is dropped in training.</summary>
    [Bounds(0, 1, BelowMax = true)]
    [Affects(Learning)] public double LoraDropout { get; init; }

    /// <summary><c>all</c>, module names, or one regular expression on the full module path.</summary>
    [Alias("lora_target_modules"), Pattern]
    [Affects(Learning)] public IReadOnlyList<string> LoraTarget { get; init; } = ["all"];

    /// <summary>Modules trained in full and saved beside the adapter.</summary>
    [Affects(Learning)] public IReadOnlyList<string> AdditionalTarget { get; init; } = [];

    /// <summary>Scale by alpha / sqrt(rank) instead of alpha / rank.</summary>
    [Affects(Learning)] public bool UseRslora { get; init; }

    /// <summary>The vision tower does not learn.</summary>
    [Affects(Learning)] public bool FreezeVisionTower { get; init; } = true;

    /// <summary>Nor does what joins it to the language model (the merger).</summary>
    [Affects(Learning)] public bool FreezeMultiModalProjector { get; init; } = true;

    /// <summary>The language model does not learn.</summary>
    [Affects(Learning)] public bool FreezeLanguageModel { get; init; }

    /// <summary>For <c>freeze</c>: the last n layers are trained, or the first n when negative.</summary>
    [Affects(Learning)] public int FreezeTrainableLayers { get; init; } = 2;

    /// <summary>For <c>freeze</c>: which modules of those layers.</summary>
    [Affects(Learning)] public IReadOnlyList<string> FreezeTrainableModules { get; init; } = ["all"];

    /// <summary>For <c>freeze</c>: modules outside the layers that are trained too.</summary>
    [Affects(Learning)] public IReadOnlyList<string> FreezeExtraModules { get; init; } = [];

    /// <summary>For <c>full</c>: 0 trains all but the vision tower, 1 projector, first and last layer, 2 the projector (<c>pretrain</c>).</summary>
    [Bounds(0, 2)]
    [Affects(Learning)] public int? FreezeLlm { get; init; }

    /// <summary>The adapter's alpha: as written, else twice the rank.</summary>
    public double EffectiveLoraAlpha => LoraAlpha ?? 2 * LoraRank;
}
