namespace Fovea.Data.Datasets;

/// <summary>Everything about data that a configuration decides. Names and meanings follow LLaMA-Factory's keys of the same words.</summary>
public sealed record DataOptions
{
    /// <summary>Names from <c>dataset_info.json</c>, or paths of files and folders.</summary>
    public required IReadOnlyList<string> Datasets { get; init; }

    /// <summary>Data sets to evaluate on; excludes <see cref="ValSize"/>.</summary>
    public IReadOnlyList<string> EvalDatasets { get; init; } = [];

    /// <summary>The folder of <c>dataset_info.json</c> and of the files it names.</summary>
    public string DatasetDir { get; init; } = "data";

    /// <summary>Where relative image paths start; the data set folder when null.</summary>
    public string? MediaDir { get; init; }

    public string Template { get; init; } = "qwen2_vl";

    /// <summary>The configuration names the template: conversations are written its way, whatever way of its own the model family has.</summary>
    public bool TemplateIsNamed { get; init; }

    /// <summary>The official MiniCPM-V trainer's <c>llm_type</c>; null is the model's own.</summary>
    public string? LlmType { get; init; }

    /// <summary>Most slices that a large image is cut into, for models that do; null is the model's own number.</summary>
    public int? MaxSliceNums { get; init; }

    /// <summary>System prompt of rows that bring none; the template's own when null.</summary>
    public string? DefaultSystem { get; init; }

    /// <summary>Most tokens a sample may have, image tokens included.</summary>
    public int CutoffLength { get; init; } = 2048;

    /// <summary>Only the first rows of each data set; all when null.</summary>
    public int? MaxSamples { get; init; }

    /// <summary>Rows set aside for evaluation: a share below 1, a number of rows above 1, none at 0.</summary>
    public double ValSize { get; init; }

    /// <summary>Questions are trained too.</summary>
    public bool TrainOnPrompt { get; init; }

    /// <summary>Which tokens of an answer are trained, for models whose own code has it wrong.</summary>
    public LabelMask LabelMask { get; init; }

    /// <summary>Part of the rows that keep the empty block that a template gives to answers without reasoning, for models whose own code removes it.</summary>
    public double EmptyThinkRatio { get; init; }

    /// <summary>Part of the rows without a system message that get one in training, for models whose own code adds it.</summary>
    public double AddSystemRatio { get; init; }

    /// <summary>A file of system messages for <see cref="AddSystemRatio"/>, one a line; null is the model's own.</summary>
    public string? SystemPrompts { get; init; }

    /// <summary>Samples are filled up to the cutoff with tokens that nothing is trained on, for models whose own mathematics counts padding.</summary>
    public bool PadToCutoff { get; init; }

    /// <summary>Only the last answer is trained.</summary>
    public bool MaskHistory { get; init; }

    /// <summary>Images of more pixels are shrunk to this area first.</summary>
    public int ImageMaxPixels { get; init; } = 768 * 768;

    /// <summary>Images of fewer pixels are enlarged to this area first.</summary>
    public int ImageMinPixels { get; init; } = 32 * 32;

    public BadSamplePolicy OnBadSample { get; init; } = BadSamplePolicy.Error;

    /// <summary>Seeds the split of <see cref="ValSize"/>.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Most threads that look at the rows before the first step.</summary>
    public int Workers { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>Where relative image paths start.</summary>
    public string ImageRoot => MediaDir ?? DatasetDir;
}
