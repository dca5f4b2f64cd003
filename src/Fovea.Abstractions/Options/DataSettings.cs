namespace Fovea;

/// <summary>How samples are read. A setting that is null keeps the configuration's value or the default.</summary>
public sealed class DataSettings
{
    /// <summary>Folder of <c>dataset_info.json</c> and of dataset files; default <c>data</c>.</summary>
    [Key("dataset_dir")]
    public string? DatasetFolder { get; set; }

    /// <summary>Folder to which image paths in dataset files are relative; default <see cref="DatasetFolder"/>.</summary>
    [Key("media_dir")]
    public string? MediaFolder { get; set; }

    /// <summary>Chat template; default: that of the model's family; <c>chat_template</c>: the one in the model's folder.</summary>
    [Key("template")]
    public string? Template { get; set; }

    /// <summary>System prompt of conversations that have none; default: the template's.</summary>
    [Key("default_system")]
    public string? SystemPrompt { get; set; }

    /// <summary>Longest sample in tokens, images included; longer ones are truncated. At least 1, default 2048.</summary>
    [Key("cutoff_len")]
    public int? MaxTokens { get; set; }

    /// <summary>At most this many samples of each dataset; at least 1, default all.</summary>
    [Key("max_samples")]
    public int? MaxSamples { get; set; }

    /// <summary>Samples set aside for evaluation: a fraction below 1, or a number; default 0. Not together with <c>Measure</c>.</summary>
    [Key("val_size")]
    public double? ValidationSize { get; set; }

    /// <summary>Train on questions too; default false.</summary>
    [Key("train_on_prompt")]
    public bool? TrainOnPrompt { get; set; }

    /// <summary>Train only on the last answer of a conversation; default false.</summary>
    [Key("mask_history")]
    public bool? MaskHistory { get; set; }

    /// <summary>
    /// With reasoning templates: true trains answers that have no thought on an empty one, false drops all thoughts and writes an empty one into the question;
    /// default true.
    /// </summary>
    [Key("enable_thinking")]
    public bool? EnableThinking { get; set; }

    /// <summary>Keep the thoughts of earlier answers, which are otherwise dropped in prompts and with <see cref="MaskHistory"/>; default false.</summary>
    [Key("preserve_thinking")]
    public bool? PreserveThinking { get; set; }

    /// <summary>How names and places of objects are written; default: with the model's marks, and as lists where a row writes the JSON around them.</summary>
    [Key("bbox_format")]
    public ObjectFormat? ObjectFormat { get; set; }

    /// <summary>Keep the order of the samples instead of shuffling them; default false.</summary>
    [Key("disable_shuffling")]
    public bool? DisableShuffling { get; set; }

    /// <summary>Larger images are scaled down to this many pixels; at least 1, default 768 x 768.</summary>
    [Key("image_max_pixels")]
    public int? ImageMaxPixels { get; set; }

    /// <summary>Smaller images are scaled up to this many pixels; at least 1, default 32 x 32.</summary>
    [Key("image_min_pixels")]
    public int? ImageMinPixels { get; set; }

    /// <summary>What happens to a sample that cannot be used; default: the run stops before its first step and lists all of them.</summary>
    [Key("on_bad_sample")]
    public BadSamplePolicy? OnBadSample { get; set; }

    /// <summary>Threads that prepare samples; at least 0, default: by the number of processors.</summary>
    [Key("dataloader_num_workers")]
    public int? Workers { get; set; }
}
