namespace Fovea.Bench;

/// <summary>What the 7b benchmark measured or, in a dry run, counted. Seconds of one step; bytes in GiB.</summary>
internal sealed record BigResult
{
    public string Job { get; } = "7b";

    public required string Commit { get; init; }

    public required string Hardware { get; init; }

    public required string Device { get; init; }

    public required string Libtorch { get; init; }

    /// <summary>What served on the GPU: libtorch's operators, or kernels of our own besides.</summary>
    public required string CudaSupport { get; init; }

    public required bool DryRun { get; init; }

    public required int Tokens { get; init; }

    public required int TrainedTokens { get; init; }

    public required long Parameters { get; init; }

    public required long TrainableParameters { get; init; }

    public required int KeptBlocks { get; init; }

    /// <summary>How operations are counted.</summary>
    public string FlopDefinition { get; } = BigCount.Definition;

    public required double TflopPerStep { get; init; }

    public required double WeightGib { get; init; }

    public required double AdapterGib { get; init; }

    public required double ActivationGibPerBlock { get; init; }

    /// <summary>Weights, adapters with their moments, kept activations and the inputs of recomputed blocks, by count.</summary>
    public required double CountedGib { get; init; }

    public IReadOnlyList<double>? StepSeconds { get; init; }

    public double? StepSecondsMedian { get; init; }

    public double? TokensPerSecond { get; init; }

    public double? TflopPerSecond { get; init; }

    /// <summary>The GPU's published rate for dense bf16 products, or the one given.</summary>
    public double? PeakTflopPerSecond { get; init; }

    /// <summary>Operations a second over the GPU's rate; null where that is not known.</summary>
    public double? Mfu { get; init; }

    /// <summary>What a plain product of 8192 x 8192 matrices reached in this run.</summary>
    public double? ProductTflopPerSecond { get; init; }

    public double? PeakMemoryGib { get; init; }

    public IReadOnlyList<double>? Losses { get; init; }
}
