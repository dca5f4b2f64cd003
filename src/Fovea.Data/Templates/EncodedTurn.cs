namespace Fovea.Data.Templates;

/// <summary>
/// One turn as ids: the question with what precedes it, the answer with what ends it, and the runs of image tokens in each. Its images are those from
/// <paramref name="FirstImage"/> on, the question's first.
/// </summary>
internal sealed record EncodedTurn(
    int[] Source, int[] Target, int FirstImage, (int Start, int Length)[] SourceImages, (int Start, int Length)[] TargetImages)
{
    /// <summary>Ids at the end of the target that are not trained.</summary>
    public int Closing { get; init; }

    /// <summary>The factor on the loss of each id of the target, 0 for one that is not trained; empty where all are 1.</summary>
    public float[] Weights { get; init; } = [];

    /// <summary>Whether the answer is trained, where its row says so.</summary>
    public bool? Trained { get; init; }

    /// <summary>
    /// Lengths left of a turn's source and target under a cutoff (LLaMA-Factory <c>data/processor/processor_utils.py</c>, <c>infer_seqlen</c>):
    /// the longer side gives way, both in proportion where both are long.
    /// </summary>
    internal static (int Source, int Target) Shorten(int source, int target, int cutoff)
    {
        int most;
        if (target * 2L < cutoff)
        {
            most = cutoff;
        }
        else if (source * 2L < cutoff)
        {
            most = cutoff - source;
        }
        else
        {
            most = (int)(cutoff * ((double)target / (source + target)));
        }

        var keptTarget = Math.Min(most, target);
        return (Math.Min(Math.Max(cutoff - keptTarget, 0), source), keptTarget);
    }

    /// <summary>Whether an image token falls when only so many ids are kept. What closes an image may fall, as in the reference.</summary>
    internal bool LosesImages(int keptSource, int keptTarget) => End(SourceImages) > keptSource || End(TargetImages) > keptTarget;

    private static int End((int Start, int Length)[] images) => images.Length == 0 ? 0 : images[^1].Start + images[^1].Length;
}
