using Fovea.Keys;

using static Fovea.Keys.Effect;

namespace Fovea.Data.Datasets;

/// <summary>Everything about data that a configuration decides. Names and meanings follow LLaMA-Factory's keys of the same words.</summary>
public sealed record DataOptions
{
    /// <summary>Largest image area in pixels; larger ones are scaled down first.</summary>
    [Bounds(1)]
    [Affects(Learning)] public int ImageMaxPixels { get; init; } = 768 * 768;

    /// <summary>Smallest image area in pixels; smaller ones are scaled up first.</summary>
    [Bounds(1)]
    [Affects(Learning)] public int ImageMinPixels { get; init; } = 32 * 32;

    /// <summary>Names in <c>dataset_info.json</c>, or paths of files and folders.</summary>
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
    [Affects(Learning, As = "Template")] public string? Template { get; init; }

    /// <summary>Replaces the template's system message.</summary>
    [Affects(Learning)] public string? DefaultSystem { get; init; }

    /// <summary>Longest sample in tokens.</summary>
    [Alias("model_max_length", "max_seq_len"), Bounds(1)]
    [Affects(Learning)] public int CutoffLen { get; init; } = 2048;

    /// <summary>Samples used of each data set, the first ones; null is all.</summary>
    [Bounds(1)]
    [Affects(Learning, As = "Samples")] public int? MaxSamples { get; init; }

    /// <summary>Samples held out for evaluation: a part up to 1, a count above.</summary>
    [Bounds(0)]
    [Affects(Learning, As = "Samples")] public double ValSize { get; init; }

    /// <summary>Train on questions too, not on answers alone.</summary>
    [Affects(Learning)] public bool TrainOnPrompt { get; init; }

    /// <summary>Train on the last turn only.</summary>
    [Affects(Learning)] public bool MaskHistory { get; init; }

    /// <summary>Keep the order of the files.</summary>
    [Affects(Learning)] public bool DisableShuffling { get; init; }

    /// <summary>Threads that encode text and decode images ahead of the trainer; null or 0 is chosen from the cores.</summary>
    [Bounds(0)]
    [Affects(Execution)] public int? DataloaderNumWorkers { get; init; }

    /// <summary>What a row or image that cannot be used does: stop the run, be left out, or be replaced by another sample, drawn at random.</summary>
    [Affects(Learning)] public BadSamplePolicy OnBadSample { get; init; } = BadSamplePolicy.Error;

    /// <summary>Seeds the split of <see cref="ValSize"/>, and what is drawn for each row.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Most threads that look at the rows before the first step.</summary>
    public int Workers => DataloaderNumWorkers is > 0 and var threads ? threads : Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>Where relative image paths start.</summary>
    public string ImageRoot => MediaDir ?? DatasetDir;
}
