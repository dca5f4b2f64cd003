namespace Fovea;

/// <summary>Low-rank adapters (LoRA, arXiv 2106.09685). A setting that is null keeps the configuration's value or the default.</summary>
public sealed class LoraSettings
{
    /// <summary>Rank of the adapters; 1 to 65,536, default 8.</summary>
    [Key("lora_rank")]
    public int? Rank { get; set; }

    /// <summary>The adapter's output is scaled by alpha / rank; above 0, default twice the rank.</summary>
    [Key("lora_alpha")]
    public double? Alpha { get; set; }

    /// <summary>Fraction of the adapter's input that dropout zeroes; from 0 to below 1, default 0.</summary>
    [Key("lora_dropout")]
    public double? Dropout { get; set; }

    /// <summary>Names of the linear layers that get adapters, or one regular expression; default <c>all</c> in the parts that are not frozen.</summary>
    [Key("lora_target")]
    public IReadOnlyList<string>? Targets { get; set; }

    /// <summary>Experts' weights that get adapters too, for instance <c>mlp.experts.down_proj</c>; default none.</summary>
    [Key("lora_target_parameters")]
    public IReadOnlyList<string>? ExpertTargets { get; set; }

    /// <summary>Names of modules that are trained in full and saved with the adapter, for instance <c>lm_head</c>.</summary>
    [Key("additional_target")]
    public IReadOnlyList<string>? TrainedWhole { get; set; }

    /// <summary>Scale by alpha / sqrt(rank) instead (rsLoRA, arXiv 2312.03732); default false.</summary>
    [Key("use_rslora")]
    public bool? RankStabilized { get; set; }

    /// <summary>Names of linear layers, or one regular expression, that get no adapter although <see cref="Targets"/> names them; default none.</summary>
    [Key("exclude_modules")]
    public IReadOnlyList<string>? Excluded { get; set; }

    /// <summary>Ranks of their own, by regular expressions for the ends of module paths, of which the first that matches counts; default none.</summary>
    [Key("rank_pattern")]
    public IReadOnlyDictionary<string, double>? RankPattern { get; set; }

    /// <summary>Alphas of their own, by the same rule; default none.</summary>
    [Key("alpha_pattern")]
    public IReadOnlyDictionary<string, double>? AlphaPattern { get; set; }

    /// <summary>Train the lengths of the adapted weights' rows too (DoRA, arXiv 2402.09353); default false.</summary>
    [Key("use_dora")]
    public bool? WeightDecomposed { get; set; }

    /// <summary>Merge the given adapters into the base in memory and train a new one over them; default false, going on with the last.</summary>
    [Key("create_new_adapter")]
    public bool? StartAnew { get; set; }

    /// <summary>LoRA+ (arXiv 2402.12354): the second matrix of each adapter learns at so many times the learning rate; above 0, default 1.</summary>
    [Key("loraplus_lr_ratio")]
    public double? RateRatio { get; set; }
}
