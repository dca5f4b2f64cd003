using Fovea.Keys;
using Fovea.Nn.Lora;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>Which parts of the model are trained, and how.</summary>
internal sealed record TuningSection
{
    /// <summary>Training stage: instruction tuning (<c>sft</c>), or pretraining of the projector on image-caption pairs (<c>pretrain</c>).</summary>
    [Affects(Learning)] public TrainingStage Stage { get; init; } = TrainingStage.Sft;

    /// <summary>LoRA adapters, full fine-tuning, or selected layers (<c>freeze</c>).</summary>
    [Affects(Learning)] public FinetuningType FinetuningType { get; init; } = FinetuningType.Lora;

    /// <summary>LoRA rank.</summary>
    [Alias("lora_r"), Bounds(1, 65536)]
    [Affects(Learning)] public int LoraRank { get; init; } = 8;

    /// <summary>LoRA alpha; null is twice the rank; see <see cref="EffectiveLoraAlpha"/>.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Learning)] public double? LoraAlpha { get; init; }

    /// <summary>Dropout probability of adapter inputs in training.</summary>
    [Bounds(0, 1, BelowMax = true)]
    [Affects(Learning)] public double LoraDropout { get; init; }

    /// <summary>Modules that get adapters: <c>all</c>, module names, or one regular expression on the full module path.</summary>
    [Alias("lora_target_modules"), Pattern]
    [Affects(Learning)] public IReadOnlyList<string> LoraTarget { get; init; } = ["all"];

    /// <summary>Modules that get none, of those that <c>lora_target</c> names: names, or one regular expression; as PEFT's <c>exclude_modules</c>.</summary>
    [Pattern]
    [Affects(Learning)] public IReadOnlyList<string> ExcludeModules { get; init; } = [];

    /// <summary>Ranks of their own, by regular expressions for the ends of module paths, as PEFT's <c>rank_pattern</c>; the first match counts.</summary>
    [Affects(Learning)] public IReadOnlyDictionary<string, double> RankPattern { get; init; } = new Dictionary<string, double>();

    /// <summary>Alphas of their own, by the same rule, as PEFT's <c>alpha_pattern</c>; the scale is alpha / rank of the module.</summary>
    [Affects(Learning)] public IReadOnlyDictionary<string, double> AlphaPattern { get; init; } = new Dictionary<string, double>();

    /// <summary>Mixture of experts: experts' weights that get adapters too, as PEFT's <c>target_parameters</c> (<c>mlp.experts.gate_up_proj</c>).</summary>
    [Affects(Learning)] public IReadOnlyList<string> LoraTargetParameters { get; init; } = [];

    /// <summary>Modules trained in full and saved with the adapter.</summary>
    [Affects(Learning)] public IReadOnlyList<string> AdditionalTarget { get; init; } = [];

    /// <summary>Rows of embeddings and head that are trained alone: <c>new</c> for new tokens, or ids; as PEFT's <c>trainable_token_indices</c>.</summary>
    [Affects(Learning)] public IReadOnlyList<string> TrainableTokenIndices { get; init; } = [];

    /// <summary>Scale by alpha / sqrt(rank) instead of alpha / rank.</summary>
    [Affects(Learning)] public bool UseRslora { get; init; }

    /// <summary>Weight-decomposed LoRA (DoRA, arXiv 2402.09353): the lengths of the adapted weights' rows are trained too.</summary>
    [Affects(Learning)] public bool UseDora { get; init; }

    /// <summary>How adapters begin: <c>true</c> (B is zero), <c>gaussian</c>, <c>orthogonal</c>, <c>olora</c>, <c>pissa</c> or <c>pissa_niter_N</c>.</summary>
    [Alias("init_lora_weights")]
    [Affects(Learning)] public string InitWeights { get; init; } = LoraStart.Plain.Name;

    /// <summary>PiSSA (arXiv 2404.02948): adapters begin with the weights' largest singular values, and train over what is left; see adapters.md.</summary>
    [Affects(Learning)] public bool PissaInit { get; init; }

    /// <summary>With <see cref="PissaInit"/>: power iterations of a randomised decomposition; -1 decomposes every weight in full.</summary>
    [Bounds(-1, 10000)]
    [Affects(Learning)] public int PissaIter { get; init; } = 16;

    /// <summary>Write the result also as an adapter of twice the rank over the model's own weights (<c>pissa_converted/</c>).</summary>
    [Affects(Output)] public bool PissaConvert { get; init; }

    /// <summary>LoRA+ (arXiv 2402.12354): <c>lora_B</c> and trainable vectors have so many times the learning rate; 16 is usual, null is 1.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Learning)] public double? LoraplusLrRatio { get; init; }

    /// <summary>Merge every adapter of <c>adapter_name_or_path</c> into the base in memory, and train a new one instead of going on with the last.</summary>
    [Affects(Learning)] public bool CreateNewAdapter { get; init; }

    /// <summary>NEFTune: noise on token embeddings in training, of at most this over the root of (tokens of the sample x width); null is none.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double? NeftuneNoiseAlpha { get; init; }

    /// <summary>The loss is (1 - this) x the label's cross-entropy + this x the mean over all tokens of the vocabulary; see optimizers.md.</summary>
    [Bounds(0, 1)]
    [Affects(Learning)] public double LabelSmoothingFactor { get; init; }

    /// <summary>How much of the square of the logits' log-sum-exp is added to a token's loss (z-loss, PaLM's is 1e-4); 0 is none.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double ZLoss { get; init; }

    /// <summary>Multiply a token's loss by its probability, without a gradient of that (dynamic fine-tuning), as in LLaMA-Factory.</summary>
    [Alias("enable_dft_loss")]
    [Affects(Learning)] public bool UseDftLoss { get; init; }

    /// <summary>Freeze the vision tower.</summary>
    [Affects(Learning)] public bool FreezeVisionTower { get; init; } = true;

    /// <summary>Freeze the projector between vision tower and language model (the merger).</summary>
    [Affects(Learning)] public bool FreezeMultiModalProjector { get; init; } = true;

    /// <summary>Freeze the language model.</summary>
    [Affects(Learning)] public bool FreezeLanguageModel { get; init; }

    /// <summary>For <c>freeze</c>: the last n layers are trainable, or the first n if negative.</summary>
    [Affects(Learning)] public int FreezeTrainableLayers { get; init; } = 2;

    /// <summary>For <c>freeze</c>: which modules of those layers are trainable.</summary>
    [Affects(Learning)] public IReadOnlyList<string> FreezeTrainableModules { get; init; } = ["all"];

    /// <summary>For <c>freeze</c>: modules outside the layers that are trainable too.</summary>
    [Affects(Learning)] public IReadOnlyList<string> FreezeExtraModules { get; init; } = [];

    /// <summary>For <c>full</c>: 0 trains all but the vision tower, 1 projector, first and last layer, 2 only the projector (<c>pretrain</c>).</summary>
    [Bounds(0, 2)]
    [Affects(Learning)] public int? FreezeLlm { get; init; }

    /// <summary>How adapters begin, by all keys for it.</summary>
    public LoraStart Start => PissaInit
        ? new LoraStart(LoraStartKind.Pissa, PissaIter < 0 ? null : PissaIter)
        : LoraStart.Parse(InitWeights) ?? LoraStart.Plain;

    /// <summary>The adapter's alpha: as specified, else twice the rank.</summary>
    public double EffectiveLoraAlpha => LoraAlpha ?? 2 * LoraRank;
}
