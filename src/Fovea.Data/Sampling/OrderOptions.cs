namespace Fovea.Data.Sampling;

/// <summary>What decides which samples form which step: <see cref="BatchSize"/> samples a batch, <see cref="Accumulation"/> batches of a rank a step.</summary>
internal sealed record OrderOptions
{
    /// <summary>Samples in the dataset.</summary>
    public required int Samples { get; init; }

    /// <summary><c>data_seed</c>, else <c>seed</c>.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>False for <c>disable_shuffling</c> and for evaluation.</summary>
    public bool Shuffle { get; init; } = true;

    /// <summary><c>per_device_train_batch_size</c>.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary><c>gradient_accumulation_steps</c>.</summary>
    public int Accumulation { get; init; } = 1;

    public int Rank { get; init; }

    public int WorldSize { get; init; } = 1;

    /// <summary>False for evaluation: the tail is not filled up, so no sample comes twice and a rank's last batch may be short or empty.</summary>
    public bool EvenBatches { get; init; } = true;

    public StepRounding Rounding { get; init; } = StepRounding.Ceil;
}
