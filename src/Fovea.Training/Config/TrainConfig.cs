using Fovea.Data.Datasets;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Models;
using Fovea.Training.Engine;
using Fovea.Training.Optim;
using Fovea.Training.Session;

using static Fovea.Training.Config.Effect;

namespace Fovea.Training.Config;

/// <summary>
/// A run's configuration: the keys of LLaMA-Factory's supervised fine-tuning, with its defaults (and Transformers'), and a few of our own.
/// A property's key is its name in snake case. Paths are relative to the current directory. Made by <see cref="Load"/>, which reports
/// every problem at once; the numbers are then within their ranges. Each says what it changes, from which the rules of resuming follow.
/// </summary>
public sealed partial record TrainConfig
{
    // ---- model ----

    /// <summary>Folder of the base model, in Hugging Face's layout.</summary>
    [FilePath, Affects(Learning, As = nameof(RunProgress.BaseModel))] public string ModelNameOrPath { get; init; } = string.Empty;

    /// <summary>Adapters to load over the base; training goes on with the last.</summary>
    [FilePath, Affects(Learning)] public IReadOnlyList<string> AdapterNameOrPath { get; init; } = [];

    /// <summary>Largest image area in pixels; larger ones are scaled down first.</summary>
    [Bounds(1)]
    [Affects(Learning)] public int ImageMaxPixels { get; init; } = 768 * 768;

    /// <summary>Smallest image area in pixels; smaller ones are scaled up first.</summary>
    [Bounds(1)]
    [Affects(Learning)] public int ImageMinPixels { get; init; } = 32 * 32;

    /// <summary>Keep every activation instead of computing each block again in the backward pass.</summary>
    [Affects(Execution)] public bool DisableGradientCheckpointing { get; init; }

    /// <summary>MiniCPM-Llama3-V-2.5: whether its vision tower sees the padding of an image's slices, as in the published code.</summary>
    [Affects(Learning)] public VisionMask VisionMask { get; init; } = VisionMask.Original;

    /// <summary>Element type for chat and export; <c>auto</c> follows the checkpoint.</summary>
    [Affects(Output)] public InferDtype InferDtype { get; init; } = InferDtype.Auto;

    // ---- method ----

    /// <summary>Instructions (<c>sft</c>), or the first training of the projector on pairs of image and caption (<c>pretrain</c>).</summary>
    [Affects(Learning)] public TrainingStage Stage { get; init; } = TrainingStage.Sft;

    /// <summary>False is refused where training is asked for.</summary>
    [Affects(Execution)] public bool DoTrain { get; init; } = true;

    /// <summary>Evaluate once after training.</summary>
    [Affects(Output)] public bool DoEval { get; init; }

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

    /// <summary>How a mixture of experts balances them: over the tokens there are, or with padding as the model's own code does.</summary>
    [Affects(Learning)] public MoeAuxiliary MoeAux { get; init; } = MoeAuxiliary.Tokens;

    // ---- data ----

    /// <summary>Names in <c>dataset_info.json</c>, or paths of files.</summary>
    [Alias("data_path")]
    [FilePath, Affects(Learning)] public IReadOnlyList<string> Dataset { get; init; } = [];

    /// <summary>The same for evaluation.</summary>
    [Alias("eval_data_path")]
    [FilePath, Affects(Output)] public IReadOnlyList<string> EvalDataset { get; init; } = [];

    /// <summary>Folder of <c>dataset_info.json</c> and of the files that it names.</summary>
    [FilePath, Affects(Learning)] public string DatasetDir { get; init; } = "data";

    /// <summary>Folder of images; null is <see cref="DatasetDir"/>.</summary>
    [Alias("images_path")]
    [FilePath, Affects(Learning)] public string? MediaDir { get; init; }

    /// <summary>Conversation template; null is the model family's own.</summary>
    [Affects(Learning, As = nameof(RunProgress.Template))] public string? Template { get; init; }

    /// <summary>MiniCPM-V: how conversations are written (<c>minicpm</c>, <c>llama3</c>, <c>qwen</c>); null is the model's own way.</summary>
    [Affects(Learning, As = nameof(RunProgress.LlmType))] public string? LlmType { get; init; }

    /// <summary>MiniCPM-V: most slices that a large image is cut into; null is what the model's config.json says.</summary>
    [Bounds(1, 64)]
    [Affects(Learning)] public int? MaxSliceNums { get; init; }

    /// <summary>Replaces the template's system message.</summary>
    [Affects(Learning)] public string? DefaultSystem { get; init; }

    /// <summary>Longest sample in tokens.</summary>
    [Alias("model_max_length", "max_seq_len"), Bounds(1)]
    [Affects(Learning)] public int CutoffLen { get; init; } = 2048;

    /// <summary>Samples used of each data set, the first ones; null is all.</summary>
    [Bounds(1)]
    [Affects(Learning, As = nameof(RunProgress.Samples))] public int? MaxSamples { get; init; }

    /// <summary>Samples held out for evaluation: a part up to 1, a count above.</summary>
    [Bounds(0)]
    [Affects(Learning, As = nameof(RunProgress.Samples))] public double ValSize { get; init; }

    /// <summary>Train on questions too, not on answers alone.</summary>
    [Affects(Learning)] public bool TrainOnPrompt { get; init; }

    /// <summary>Train on the last turn only.</summary>
    [Affects(Learning)] public bool MaskHistory { get; init; }

    /// <summary>For models whose own code trains the wrong tokens of an answer: mended, or as it is there.</summary>
    [Affects(Learning)] public LabelMask LabelMask { get; init; } = LabelMask.Fixed;

    /// <summary>For models that write reasoning before an answer: part of the rows that keep the empty block where there is none.</summary>
    [Bounds(0, 1)]
    [Affects(Learning)] public double EmptyThinkRatio { get; init; } = 0.2;

    /// <summary>MiniMind-3V: part of the rows without a system message that get one of <see cref="SystemPrompts"/>.</summary>
    [Bounds(0, 1)]
    [Affects(Learning)] public double AddSystemRatio { get; init; } = 0.2;

    /// <summary>A file of system messages to draw from, one a line; null is the ten of the model's own code.</summary>
    [FilePath, Affects(Learning)] public string? SystemPrompts { get; init; }

    /// <summary>Keep the order of the files.</summary>
    [Affects(Learning)] public bool DisableShuffling { get; init; }

    /// <summary>Threads that encode text and decode images ahead of the trainer; null or 0 is chosen from the cores.</summary>
    [Bounds(0)]
    [Affects(Execution)] public int? DataloaderNumWorkers { get; init; }

    // ---- output ----

    /// <summary>Where the adapter or model, checkpoints and logs go.</summary>
    [FilePath, Affects(Output)] public string OutputDir { get; init; } = string.Empty;

    /// <summary>Start afresh in a folder that is not empty; Fovea's checkpoints in it go once the first step has trained. Else they are resumed.</summary>
    [Affects(Output)] public bool OverwriteOutputDir { get; init; }

    /// <summary>Steps between two logged losses; a part of all steps when below 1.</summary>
    [Affects(Output)] public StepInterval LoggingSteps { get; init; } = 500;

    /// <summary>Log the first step too.</summary>
    [Affects(Output)] public bool LoggingFirstStep { get; init; }

    /// <summary>When checkpoints are saved.</summary>
    [Affects(Output)] public IntervalStrategy SaveStrategy { get; init; } = IntervalStrategy.Steps;

    /// <summary>Steps between two checkpoints; a part of all steps when below 1.</summary>
    [Affects(Output)] public StepInterval SaveSteps { get; init; } = 500;

    /// <summary>Checkpoints kept, those written last; null is all.</summary>
    [Bounds(1)]
    [Affects(Output)] public int? SaveTotalLimit { get; init; }

    /// <summary>Save no optimizer and random state: such a checkpoint cannot be resumed.</summary>
    [Affects(Output)] public bool SaveOnlyModel { get; init; }

    /// <summary>Draw training_loss.svg and .png.</summary>
    [Affects(Output)] public bool PlotLoss { get; init; }

    /// <summary><c>tensorboard</c>, <c>all</c> or <c>none</c>; see <see cref="UseTensorBoard"/>.</summary>
    [Affects(Output)] public IReadOnlyList<string> ReportTo { get; init; } = [];

    /// <summary>Folder of TensorBoard event files; null is a new folder under <c>output_dir/runs</c>.</summary>
    [FilePath, Affects(Output)] public string? LoggingDir { get; init; }

    /// <summary>A checkpoint; <c>true</c>: the last written in <see cref="OutputDir"/>; <c>auto</c>: that if any; MiniMind-V's <c>_resume.pth</c>.</summary>
    [FilePath, Affects(Output)] public string? ResumeFromCheckpoint { get; init; }

    // ---- training ----

    /// <summary>With <see cref="GradientAccumulationSteps"/>: which samples make one step.</summary>
    [Bounds(1)]
    [Affects(Learning)] public int PerDeviceTrainBatchSize { get; init; } = 8;

    /// <summary>Batches of one step.</summary>
    [Bounds(1)]
    [Affects(Learning, As = nameof(RunProgress.SamplesPerStep))] public int GradientAccumulationSteps { get; init; } = 1;

    /// <summary>Highest learning rate of the schedule.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double LearningRate { get; init; } = 5e-5;

    /// <summary>Passes over the training samples.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Learning)] public double NumTrainEpochs { get; init; } = 3;

    /// <summary>Optimizer steps; when positive it decides instead of the epochs.</summary>
    [Bounds(1, Or = -1)]
    [Affects(Learning)] public int MaxSteps { get; init; } = -1;

    /// <summary>How the learning rate goes down after the warm-up.</summary>
    [Affects(Learning)] public LrSchedulerType LrSchedulerType { get; init; } = LrSchedulerType.Linear;

    /// <summary>Settings of the schedule: <c>num_cycles</c>, <c>min_lr</c>, <c>min_lr_rate</c>.</summary>
    [Affects(Learning)] public IReadOnlyDictionary<string, double> LrSchedulerKwargs { get; init; } = new Dictionary<string, double>();

    /// <summary>Part of all steps; <see cref="WarmupSteps"/> goes first.</summary>
    [Bounds(0, 1)]
    [Affects(Learning)] public double WarmupRatio { get; init; }

    /// <summary>Steps, or a part of all steps when below 1; see <see cref="WarmupStepsIn"/>.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double WarmupSteps { get; init; }

    /// <summary>AdamW; the names that Transformers has for it mean the same here.</summary>
    [Affects(Learning)] public OptimizerKind Optim { get; init; } = OptimizerKind.AdamwTorch;

    /// <summary>Decay of weights other than biases and norms.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double WeightDecay { get; init; }

    /// <summary>Decay biases and norms too, as PyTorch's AdamW does by itself.</summary>
    [Affects(Learning)] public bool DecayNorms { get; init; }

    /// <summary>Decay of the mean of gradients.</summary>
    [Bounds(0, 1, BelowMax = true)]
    [Affects(Learning)] public double AdamBeta1 { get; init; } = 0.9;

    /// <summary>Decay of the mean of their squares.</summary>
    [Bounds(0, 1, BelowMax = true)]
    [Affects(Learning)] public double AdamBeta2 { get; init; } = 0.999;

    /// <summary>Added to the root of that mean.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>L2 norm to which gradients are clipped; 0 is never.</summary>
    [Bounds(0)]
    [Affects(Learning)] public double MaxGradNorm { get; init; } = 1;

    /// <summary>Compute in bf16; weights that learn stay in fp32 unless <see cref="PureBf16"/>. On CPUs without AVX-512 it saves memory, not time.</summary>
    [Affects(Learning)] public bool Bf16 { get; init; }

    /// <summary>Compute in fp16, trainable weights in fp32; the loss is scaled as PyTorch's GradScaler does, and a step that overflows is left out.</summary>
    [Affects(Learning)] public bool Fp16 { get; init; }

    /// <summary>Trainable weights in bf16 too.</summary>
    [Affects(Learning)] public bool PureBf16 { get; init; }

    /// <summary>Seed of new adapters, dropout and order.</summary>
    [Bounds(0)]
    [Affects(Learning)] public int Seed { get; init; } = 42;

    /// <summary>Seed of the order of the data; null is <see cref="Seed"/>.</summary>
    [Bounds(0)]
    [Affects(Learning, As = nameof(RunProgress.Seed))] public int? DataSeed { get; init; }

    /// <summary>Where to compute: auto (the card of LOCAL_RANK where there is one), cpu, cuda or cuda:N.</summary>
    [Affects(Execution)] public string Device { get; init; } = "auto";

    /// <summary>The same numbers in every run on a GPU too, more slowly; an operator that cannot is an error. The CPU repeats itself in any case.</summary>
    [Alias("full_determinism")]
    [Affects(Execution)] public bool Deterministic { get; init; }

    /// <summary>Train on the CPU even where an accelerator is found.</summary>
    [Alias("no_cuda")]
    [Affects(Execution)] public bool UseCpu { get; init; }

    /// <summary>With several processes: seconds to wait for one that does not come along before the run is given up.</summary>
    [Bounds(1)]
    [Affects(Execution)] public int DdpTimeout { get; init; } = 600;

    /// <summary>With several processes: MiB of gradients that travel together, while backward goes on.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Execution)] public double DdpBucketCapMb { get; init; } = 25;

    /// <summary>What is divided over the processes (ZeRO): 0 nothing, 1 the optimizer's state, 2 gradients too, 3 weights too, frozen ones included.</summary>
    [Bounds(0, 3)]
    [Affects(Execution)] public int Zero { get; init; }

    /// <summary>What lies in the host's memory: nothing, the optimizer's state and its update, or (<c>cpu</c>, with <c>zero: 3</c>) weights too.</summary>
    [Affects(Execution)] public OffloadKind Offload { get; init; }

    /// <summary>A DeepSpeed JSON file, or its content, instead of <see cref="Zero"/> and <see cref="Offload"/>; values must agree with other keys.</summary>
    [Inline]
    [FilePath, Affects(Execution)] public string? Deepspeed { get; init; }

    /// <summary>FSDP's words for the same: <c>full_shard</c> is <c>zero: 3</c>, <c>shard_grad_op</c> <c>zero: 2</c>; with <c>offload</c> beside it.</summary>
    [Affects(Execution)] public IReadOnlyList<string> Fsdp { get; init; } = [];

    // ---- evaluation ----

    /// <summary>When held-out samples are evaluated.</summary>
    [Alias("evaluation_strategy")]
    [Affects(Output)] public IntervalStrategy EvalStrategy { get; init; } = IntervalStrategy.No;

    /// <summary>Null is <see cref="LoggingSteps"/>.</summary>
    [Affects(Output)] public StepInterval? EvalSteps { get; init; }

    /// <summary>Samples of one evaluation batch.</summary>
    [Bounds(1)]
    [Affects(Output)] public int PerDeviceEvalBatchSize { get; init; } = 8;

    // ---- generation and export ----

    /// <summary>Sample answers; false always takes the most likely token.</summary>
    [Affects(Output)] public bool DoSample { get; init; } = true;

    /// <summary>Below 1 sharpens, above 1 flattens what is sampled from.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Output)] public double Temperature { get; init; } = 0.95;

    /// <summary>Sample from the most likely tokens up to this sum of probabilities.</summary>
    [Bounds(0, 1, AboveMin = true)]
    [Affects(Output)] public double TopP { get; init; } = 0.7;

    /// <summary>Most likely tokens to draw from; 0 is all.</summary>
    [Bounds(0)]
    [Affects(Output)] public int TopK { get; init; } = 50;

    /// <summary>Longest answer in tokens.</summary>
    [Bounds(1)]
    [Affects(Output)] public int MaxNewTokens { get; init; } = 1024;

    /// <summary>Above 1 makes repetitions less likely.</summary>
    [Bounds(0, AboveMin = true)]
    [Affects(Output)] public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Folder for the merged model.</summary>
    [FilePath, Affects(Output)] public string? ExportDir { get; init; }

    /// <summary>Largest file of an export, in GB (10^9 bytes).</summary>
    [Bounds(1)]
    [Affects(Output)] public int ExportSize { get; init; } = 5;

    // ---- our own ----

    /// <summary>Tokens of one packed micro-batch; null (<c>auto</c>) is chosen from <see cref="MemoryBudget"/>. Cannot change the gradient.</summary>
    [Auto, Bounds(1)]
    [Affects(Execution)] public int? MicroBatchTokens { get; init; }

    /// <summary><c>token</c>: trained tokens weigh the same; <c>mean</c>: the batches' means, as LLaMA-Factory; <c>accumulate</c>: as MiniMind-V.</summary>
    [Affects(Learning)] public LossReduction LossReduction { get; init; } = LossReduction.Token;

    /// <summary>What a row or image that cannot be used does: stop the run, be left out, or be replaced by another sample, drawn at random.</summary>
    [Affects(Learning)] public BadSamplePolicy OnBadSample { get; init; } = BadSamplePolicy.Error;

    /// <summary>Steps of an epoch that does not divide: up (today's Transformers), down (early 2025), or <c>carry</c> (MiniMind-V of April 2025).</summary>
    [Affects(Learning)] public StepRounding StepRounding { get; init; } = StepRounding.Ceil;

    /// <summary>Keep the features of a frozen vision tower, in memory and on disk: from the second epoch or run on, images are not decoded again.</summary>
    [Affects(Execution)] public Toggle CacheVisionFeatures { get; init; } = Toggle.Auto;

    /// <summary>Folder of those on disk, which runs may share; null is <c>~/.cache/fovea/vision</c>, <c>none</c> keeps them in memory only.</summary>
    [FilePath, Affects(Execution)] public string? VisionCacheDir { get; init; }

    /// <summary>Most that is kept in the host's memory; null (<c>auto</c>) is a quarter of what is free, on the CPU of what the run leaves.</summary>
    [Auto]
    [Affects(Execution)] public MemorySize? VisionCacheMemory { get; init; }

    /// <summary>Most that is kept on disk, the least recently used going first; null (<c>auto</c>) is a tenth of the free space, at most 20 GiB.</summary>
    [Auto]
    [Affects(Execution)] public MemorySize? VisionCacheDisk { get; init; }

    /// <summary>What backward computes again: blocks, or what is cheap. <see cref="DisableGradientCheckpointing"/> makes it <c>never</c>.</summary>
    [Affects(Execution)] public RecomputeMode Recompute { get; init; } = RecomputeMode.Auto;

    /// <summary>Memory of the device for the run, weights included; null (<c>auto</c>) is nine tenths of what is free: a GPU's own, or the host's.</summary>
    [Auto]
    [Affects(Execution)] public MemorySize? MemoryBudget { get; init; }

    /// <summary>How often a run that fails is started again, from its last checkpoint; the variable <c>MAX_RESTARTS</c> goes first.</summary>
    [Bounds(0)]
    [Affects(Execution)] public int MaxRestarts { get; init; }

    /// <summary>Write where the time goes, by block, into the output folder.</summary>
    [Affects(Output)] public bool Profile { get; init; }
}
