using Fovea.Keys;
using Fovea.Models.Vocabularies;
using Fovea.Nn.FourBit;
using Fovea.Training.Session;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>The base model and where it computes.</summary>
internal sealed record ModelSection
{
    /// <summary>The base model: a folder in Hugging Face's layout, or a name on a hub (<c>org/name</c>), from which it is fetched once.</summary>
    [FilePath, Affects(Learning, As = nameof(RunProgress.BaseModel))] public string ModelNameOrPath { get; init; } = string.Empty;

    /// <summary>Adapters to load onto the base model, folders or names on a hub; training continues the last one.</summary>
    [FilePath, Affects(Learning)] public IReadOnlyList<string> AdapterNameOrPath { get; init; } = [];

    /// <summary>Tokens that the tokenizer is given; a text may hold them anywhere (docs/adapters.md).</summary>
    [Affects(Learning)] public IReadOnlyList<string> AddTokens { get; init; } = [];

    /// <summary>The same for special tokens, which decoding may leave out.</summary>
    [Affects(Learning)] public IReadOnlyList<string> AddSpecialTokens { get; init; } = [];

    /// <summary>A YAML file of special tokens and what each means, in place of <see cref="AddSpecialTokens"/>.</summary>
    [FilePath]
    [Affects(Learning)] public string? NewSpecialTokensConfig { get; init; }

    /// <summary>How new rows begin: the mean of all and noise, or the mean of the embeddings of what each token means, without noise or with it.</summary>
    [Affects(Learning)] public TokenStart InitSpecialTokens { get; init; }

    /// <summary>Rows of embeddings and head for every token of the tokenizer, a multiple of 64; new tokens turn it on.</summary>
    [Affects(Learning)] public bool ResizeVocab { get; init; }

    /// <summary>Element type for chat and export; <c>auto</c> follows the checkpoint.</summary>
    [Affects(Output)] public InferDtype InferDtype { get; init; } = InferDtype.Auto;

    /// <summary>Compute in bf16; trainable weights stay in fp32 unless <see cref="PureBf16"/>. On CPUs without AVX-512 it saves memory, not time.</summary>
    [Affects(Learning)] public bool Bf16 { get; init; }

    /// <summary>Compute in fp16, trainable weights in fp32; the loss is scaled as in PyTorch's GradScaler, and steps that overflow are skipped.</summary>
    [Affects(Learning)] public bool Fp16 { get; init; }

    /// <summary>Trainable weights in bf16 too.</summary>
    [Affects(Learning)] public bool PureBf16 { get; init; }

    /// <summary>4: QLoRA, the language model's frozen linears in bitsandbytes' 4 bits, rounded when the model is loaded (docs/qlora.md).</summary>
    [Bounds(4, 8)]
    [Affects(Learning)] public int? QuantizationBit { get; init; }

    /// <summary>Which numbers 4 bits stand for: <c>nf4</c>, quantiles of a normal distribution, or <c>fp4</c>.</summary>
    [Affects(Learning)] public FourBitType QuantizationType { get; init; } = FourBitType.Nf4;

    /// <summary>Scales of 4-bit weights as bytes: 4.13 bits a weight instead of 4.5.</summary>
    [Affects(Learning)] public bool DoubleQuantization { get; init; } = true;

    /// <summary>Modules left in 16 bits, by Transformers' rule, not the vision side; <c>[lm_head]</c> rounds all else, as LLaMA-Factory does.</summary>
    [Affects(Learning)] public IReadOnlyList<string> LlmInt8SkipModules { get; init; } = [];

    /// <summary>Whose form of 4-bit weights: bitsandbytes' alone.</summary>
    [Affects(Learning)] public QuantizationMethod QuantizationMethod { get; init; }

    /// <summary>Compute device: auto (the GPU of LOCAL_RANK if there is one), cpu, cuda or cuda:N.</summary>
    [Affects(Execution)] public string Device { get; init; } = "auto";

    /// <summary>Train on the CPU even where an accelerator is found.</summary>
    [Alias("no_cuda")]
    [Affects(Execution)] public bool UseCpu { get; init; }

    /// <summary>Bitwise reproducible runs on a GPU, more slowly; an operator without a deterministic kernel is an error. CPU runs always are.</summary>
    [Alias("full_determinism")]
    [Affects(Execution)] public bool Deterministic { get; init; }

    /// <summary>What folders of a hub's cache are called on it (<c>org/name</c>), where names stood in <see cref="ModelNameOrPath"/> and the
    /// adapters.</summary>
    public IReadOnlyDictionary<string, string> HubNames { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether the vocabulary may become larger than the folder's.</summary>
    public bool Enlarges => ResizeVocab || AddTokens.Count > 0 || AddSpecialTokens.Count > 0 || NewSpecialTokensConfig is not null;

    /// <summary>The base model as people call it: its name on the hub, or its folder.</summary>
    public string Name => HubNames.GetValueOrDefault(ModelNameOrPath, ModelNameOrPath);

    /// <summary>The base model beyond doubt: its name on the hub with the commit, or its whole path.</summary>
    public string Identity => HubNames.TryGetValue(ModelNameOrPath, out var name)
        ? $"{name}@{Path.GetFileName(ModelNameOrPath)}"
        : Path.GetFullPath(ModelNameOrPath);

    /// <summary>How frozen linears are kept in 4 bits; null where they are not.</summary>
    public FourBitOptions? FourBit => QuantizationBit is null ? null : new(QuantizationType, DoubleQuantization)
    {
        Skipped = LlmInt8SkipModules.Count == 0 ? null : LlmInt8SkipModules,
    };

    /// <summary>The element type in which the model computes.</summary>
    public DType Compute => Fp16 ? DType.F16 : Bf16 || PureBf16 ? DType.BF16 : DType.F32;

    /// <summary>Its name in messages.</summary>
    public string ComputeName => Compute switch { DType.F16 => "fp16", DType.BF16 => "bf16", _ => "fp32" };
}
