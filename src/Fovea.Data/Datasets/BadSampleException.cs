namespace Fovea.Data.Datasets;

/// <summary>One sample cannot be used: names the dataset, the row and the reason, and the file where one is at fault.</summary>
internal sealed class BadSampleException(BadSample sample, Exception? inner = null)
    : FoveaException($"{sample} (on_bad_sample: skip leaves such samples out)", inner)
{
    public BadSample Sample { get; } = sample;

    /// <summary>The conversation of one row cannot be used.</summary>
    /// <param name="tooLong">Nothing is wrong with it but its length under the cutoff.</param>
    public static BadSampleException Of(Conversation conversation, string reason, Exception? inner = null, bool tooLong = false)
    {
        var origin = conversation.OriginOrNone();
        return new(new BadSample(origin.Dataset, origin.Row, reason) { TooLong = tooLong }, inner);
    }
}
