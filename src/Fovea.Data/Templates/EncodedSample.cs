using Fovea.Data.Datasets;
using Fovea.Data.Objects;

namespace Fovea.Data.Templates;

/// <summary>A sample as token ids. <see cref="Labels"/> are the ids where they are trained and <see cref="Ignored"/> elsewhere, not shifted.</summary>
internal sealed record EncodedSample(int[] Ids, int[] Labels, IReadOnlyList<ImageRef> Images, string Dataset, int Row)
{
    public const int Ignored = -100;

    /// <summary>The sample of a conversation, which names its dataset and row.</summary>
    /// <param name="truncated">Something was cut off to keep within the cutoff.</param>
    public static EncodedSample Of(Conversation conversation, int[] ids, int[] labels, IReadOnlyList<ImageRef> images, bool truncated)
    {
        var isAbove = conversation.Weight > 0 && float.IsFinite((float)conversation.Weight);
        if (!isAbove || conversation.Messages.Any(message => message.Weight is < 0 or double.NaN))
        {
            throw BadSampleException.Of(conversation, "has a weight that is no number above 0, or a message with one below 0");
        }

        var origin = conversation.OriginOrNone();
        return new EncodedSample(ids, labels, images, origin.Dataset, origin.Row) { Truncated = truncated, Weight = conversation.Weight };
    }

    /// <summary>Something was cut off to keep within the cutoff.</summary>
    public bool Truncated { get; init; }

    /// <summary>A factor on the loss of all its tokens.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>A factor on the loss of each token, beside <see cref="Weight"/>; empty where all are 1.</summary>
    public float[] Weights { get; init; } = [];

    /// <summary>The factor on the loss of a trained token.</summary>
    public float WeightOf(int token) => (float)(Weights.Length == 0 ? Weight : Weight * Weights[token]);

    /// <summary>Where the turns begin; none where the encoder does not say.</summary>
    public IReadOnlyList<int> Turns { get; init; } = [];

    /// <summary>Where its objects are, and how that was written.</summary>
    public IReadOnlyList<WrittenPlace> Places { get; init; } = [];

    /// <summary>Tokens that count in the loss: labelled ones but the first token, which nothing predicts.</summary>
    public int TrainedTokens
    {
        get
        {
            var count = 0;
            for (var i = 1; i < Labels.Length; i++)
            {
                count += Labels[i] == Ignored ? 0 : 1;
            }

            return count;
        }
    }
}
