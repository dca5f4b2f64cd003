namespace Fovea.Data.Datasets;

/// <summary>One sample cannot be used: names the data set, the row and the reason, and the file where one is at fault.</summary>
public sealed class BadSampleException(BadSample sample, Exception? inner = null)
    : FoveaException($"{sample} (on_bad_sample: skip leaves such samples out)", inner)
{
    public BadSample Sample { get; } = sample;
}
