namespace Fovea.Events;

/// <summary>Training is about to take its first step. All elapsed times count from its <see cref="RunEvent.Time"/>.</summary>
public sealed record RunStarted : RunEvent
{
    /// <summary>Folder of adapters, checkpoints, logs and curves.</summary>
    public required string OutputDir { get; init; }

    /// <summary>Folder or name of the base model.</summary>
    public required string Model { get; init; }

    /// <summary>Model family as the checkpoint's config names it, for instance <c>qwen2_5_vl</c>.</summary>
    public string Family { get; init; } = string.Empty;

    /// <summary>Where it runs and in which precision, for instance <c>cpu, bf16</c>.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>The kernels in use, in one line; empty if not determined.</summary>
    public string Kernels { get; init; } = string.Empty;

    /// <summary>The honoured keys and their values, as text.</summary>
    public IReadOnlyDictionary<string, string> Config { get; init; } = new Dictionary<string, string>();

    /// <summary>Number of trainable parameters.</summary>
    public required long TrainableParameters { get; init; }

    /// <summary>Number of parameters, adapters included.</summary>
    public required long AllParameters { get; init; }

    /// <summary>Training samples of one epoch, over all ranks; 0 where they are a stream, whose length is not known.</summary>
    public required int Samples { get; init; }

    /// <summary>Held-out samples; 0 if none are given.</summary>
    public int EvalSamples { get; init; }

    /// <summary>Optimizer steps of the whole run.</summary>
    public required int TotalSteps { get; init; }

    /// <summary>Passes over the samples, fractional.</summary>
    public double Epochs { get; init; }

    /// <summary>Samples per optimizer step: batch size x accumulation x ranks.</summary>
    public int SamplesPerStep { get; init; }

    /// <summary>Processes that train together.</summary>
    public int Ranks { get; init; } = 1;

    /// <summary>Steps already done by the run that this one resumes; 0 for a new run.</summary>
    public int StartStep { get; init; }
}
