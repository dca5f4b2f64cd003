namespace Fovea.Data.Packing;

/// <summary>Which steps a pipeline delivers and how far it works ahead.</summary>
internal sealed record PipelineOptions
{
    /// <summary>The first step, from 0; a resumed run starts at the step it had reached.</summary>
    public int FirstStep { get; init; }

    /// <summary>The step after the last.</summary>
    public required int EndStep { get; init; }

    /// <summary>Whether samples are changed by chance where the family's own training code does that.</summary>
    public bool IsTraining { get; init; }

    /// <summary>Background threads that encode text and decode images.</summary>
    public int Workers { get; init; } = Math.Clamp(Environment.ProcessorCount - 1, 1, 8);

    /// <summary>Samples whose preparation may have begun before the step that is being put together is done.</summary>
    public int SamplesAhead => Math.Max(Workers, 1) * 4;

    /// <summary>Finished steps kept ready.</summary>
    public int ReadySteps { get; init; } = 2;

    /// <summary>Knows images whose features are at hand, which are not decoded; null to decode all.</summary>
    public IFeatureStore? Features { get; init; }

    public BadSamplePolicy OnBadSample { get; init; } = BadSamplePolicy.Error;

    /// <summary>Decides which samples replace bad ones.</summary>
    public long Seed { get; init; }
}
