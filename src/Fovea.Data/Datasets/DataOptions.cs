using Fovea.Data.Objects;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;
using Fovea.Keys;

using static Fovea.Keys.Effect;

namespace Fovea.Data.Datasets;

/// <summary>All data settings of a configuration. Names and meanings follow LLaMA-Factory's keys of the same names.</summary>
internal sealed record DataOptions
{
    /// <summary>Maximum image area in pixels; larger images are downscaled first.</summary>
    [Bounds(1)]
    [Affects(Learning)] public int ImageMaxPixels { get; init; } = 768 * 768;

    /// <summary>Minimum image area in pixels; smaller images are upscaled first.</summary>
    [Bounds(1)]
    [Affects(Learning)] public int ImageMinPixels { get; init; } = 32 * 32;

    /// <summary>Names in <c>dataset_info.json</c>, or paths of files and folders.</summary>
    [Alias("data_path")]
    [FilePath, Affects(Learning)] public IReadOnlyList<string> Dataset { get; init; } = [];

    /// <summary>Evaluation datasets, specified like <see cref="Dataset"/>.</summary>
    [Alias("eval_data_path")]
    [FilePath, Affects(Output)] public IReadOnlyList<string> EvalDataset { get; init; } = [];

    /// <summary>Folder of <c>dataset_info.json</c> and of the files it refers to.</summary>
    [FilePath, Affects(Learning)] public string DatasetDir { get; init; } = "data";

    /// <summary>Folder that image paths are relative to; null is <see cref="DatasetDir"/>.</summary>
    [Alias("images_path")]
    [FilePath, Affects(Learning)] public string? MediaDir { get; init; }

    /// <summary>Chat template by name; null is the model family's own, <c>chat_template</c> the one in the model's folder (Jinja).</summary>
    [Affects(Learning, As = "Template")] public string? Template { get; init; }

    /// <summary>Replaces the template's system message.</summary>
    [Affects(Learning)] public string? DefaultSystem { get; init; }

    /// <summary>Maximum sample length in tokens.</summary>
    [Alias("model_max_length", "max_seq_len"), Bounds(1)]
    [Affects(Learning)] public int CutoffLen { get; init; } = 2048;

    /// <summary>Use only the first so many samples of each dataset; null is all.</summary>
    [Bounds(1)]
    [Affects(Learning, As = "Samples")] public int? MaxSamples { get; init; }

    /// <summary>Samples held out for evaluation: a fraction up to 1, a count above.</summary>
    [Bounds(0)]
    [Affects(Learning, As = "Samples")] public double ValSize { get; init; }

    /// <summary>How several datasets are mixed: one after the other, in turns until the first or the last has ended, or each row once; see data.md.</summary>
    [Affects(Learning)] public MixStrategy MixStrategy { get; init; } = MixStrategy.Concat;

    /// <summary>With <c>interleave_*</c>: how often each dataset's turn comes, by their order, adding up to 1; without it they take turns evenly.</summary>
    [Affects(Learning)] public IReadOnlyList<double> InterleaveProbs { get; init; } = [];

    /// <summary>Find training rows while training instead of looking at all of them first; needs <c>max_steps</c>; see data.md.</summary>
    [Affects(Learning)] public bool Streaming { get; init; }

    /// <summary>With <see cref="Streaming"/>: rows that wait to be drawn from, so far as a stream is shuffled.</summary>
    [Bounds(1)]
    [Affects(Learning)] public int BufferSize { get; init; } = 16384;

    /// <summary>Evaluate each of <see cref="EvalDataset"/> by itself, as <c>eval_NAME_loss</c>, instead of all together.</summary>
    [Affects(Output)] public bool EvalOnEachDataset { get; init; }

    /// <summary>Train on prompts too, not only on answers.</summary>
    [Affects(Learning)] public bool TrainOnPrompt { get; init; }

    /// <summary>Train on the last turn only.</summary>
    [Affects(Learning)] public bool MaskHistory { get; init; }

    /// <summary>What is trained and weighs what, as in ms-swift: <c>default</c>, <c>last_round</c>, <c>all</c>, maps joined by <c>+</c>; see data.md.</summary>
    [Affects(Learning)] public string? LossScale { get; init; }

    /// <summary>Reasoning templates: true trains answers without a thought on an empty one, null puts it into the question, false drops thoughts too.</summary>
    [NullIsValue]
    [Affects(Learning)] public bool? EnableThinking { get; init; } = true;

    /// <summary>Keep the thoughts of earlier answers, which are otherwise dropped in prompts and with <see cref="MaskHistory"/>.</summary>
    [Affects(Learning)] public bool PreserveThinking { get; init; }

    /// <summary>How names and places of objects are written; null is with the model's marks, and as lists in rows that write JSON around them.</summary>
    [Affects(Learning)] public ObjectFormat? BboxFormat { get; init; }

    /// <summary>What coordinates in texts count: thousandths, or pixels of the resized image; null is what the model family was trained with.</summary>
    [Affects(Learning)] public BoxScale? NormBbox { get; init; }

    /// <summary>Do not shuffle: keep the order of the files.</summary>
    [Affects(Learning)] public bool DisableShuffling { get; init; }

    /// <summary>Threads that encode text and decode images ahead of the trainer; null or 0 chooses by the number of cores.</summary>
    [Bounds(0)]
    [Affects(Execution)] public int? DataloaderNumWorkers { get; init; }

    /// <summary>How to handle an unusable row or image: stop the run, skip the sample, or replace it with another one drawn at random.</summary>
    [Affects(Learning)] public BadSamplePolicy OnBadSample { get; init; } = BadSamplePolicy.Error;

    /// <summary>Datasets that a program gives instead of files, by the names that <see cref="Dataset"/> and <see cref="EvalDataset"/> list.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<Conversation>> Given { get; init; } = new Dictionary<string, IReadOnlyList<Conversation>>();

    /// <summary>
    /// Gives the repository of a dataset that is named as on a hub, with the files of it that are needed; null where nothing can be fetched.
    /// </summary>
    public Func<HubDataset, HubRepository>? Repositories { get; init; }

    /// <summary>Names of the datasets that were fetched by it, as they were asked for.</summary>
    public IReadOnlyCollection<string> FromHub { get; init; } = [];

    /// <summary>Seeds the split of <see cref="ValSize"/>, the mixing of datasets, and what is drawn for each row.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Maximum number of threads that scan the rows before the first step.</summary>
    public int Workers => DataloaderNumWorkers is > 0 and var threads ? threads : Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>Whether the template writes tools, their calls and results: of a model's own it is seen when it is asked for them.</summary>
    public bool TakesTools => Template == ChatTemplates.OfModel;

    /// <summary>What <see cref="LossScale"/> says; null where stretches of answers weigh the same.</summary>
    public LossScaleRule? Scale { get; init; }

    /// <summary>With what <see cref="LossScale"/> says.</summary>
    /// <exception cref="ConfigException">It cannot be used, or contradicts another key.</exception>
    public DataOptions Scaled()
    {
        if (LossScale is not { } text)
        {
            return this;
        }

        var scale = LossScaleRule.Read(text);
        var (key, other) = scale.Strategy switch
        {
            "all" when MaskHistory => ("all", "mask_history"),
            "last_round" when TrainOnPrompt => ("last_round", "train_on_prompt"),
            _ => default,
        };
        return other is not null ? throw new ConfigException($"loss_scale: {key} and {other}: true exclude each other") : this with
        {
            TrainOnPrompt = TrainOnPrompt || scale.Strategy == "all",
            MaskHistory = MaskHistory || scale.Strategy == "last_round",
            Scale = scale.HasMaps ? scale : null,
        };
    }

    /// <summary>The mixing as the configuration writes it.</summary>
    public string MixStrategyName => MixStrategy switch
    {
        MixStrategy.InterleaveUnder => "interleave_under",
        MixStrategy.InterleaveOver => "interleave_over",
        MixStrategy.InterleaveOnce => "interleave_once",
        _ => "concat",
    };

    /// <summary>The names of held-out parts that have numbers of their own; null alone where there is one for all.</summary>
    public IReadOnlyList<string?> HeldOutPartNames =>
        EvalOnEachDataset && EvalDataset.Count > 0 ? HeldOutNames.Of(EvalDataset) : (IReadOnlyList<string?>)[null];

    /// <summary>The held-out datasets alone, which come in the order in which they are evaluated.</summary>
    public DataOptions HeldOutAlone =>
        this with
        {
            Dataset = EvalDataset,
            EvalDataset = [],
            ValSize = 0,
            MixStrategy = EvalOnEachDataset || EvalDataset.Count == 1 ? MixStrategy.Concat : MixStrategy,
            InterleaveProbs = EvalOnEachDataset || EvalDataset.Count == 1 ? [] : InterleaveProbs,
        };

    /// <summary>The folder that relative image paths start from.</summary>
    public string ImageRoot => MediaDir ?? DatasetDir;
}
