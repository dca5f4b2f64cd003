using Fovea.Data.Packing;

namespace Fovea.Models;

/// <summary>Consecutive tokens over which a <see cref="SideLosses"/> mean is taken, and what that mean weighs in the step.</summary>
internal readonly record struct TokenGroup(int Start, int End, double Weight)
{
    private readonly int? ofAllRanks;

    private TokenGroup(int start, int end, double weight, int tokens)
        : this(start, end, weight) => ofAllRanks = tokens;

    /// <summary>Tokens that the mean is over; more than those from start to end where other ranks have the rest of them.</summary>
    public int Tokens => ofAllRanks ?? End - Start;

    /// <summary>The part that lies in a stretch of the tokens, counted from its start; empty where none does.</summary>
    public TokenGroup Within(int start, int end)
    {
        var first = Math.Clamp(Start, start, end);
        return new TokenGroup(first - start, Math.Clamp(End, first, end) - start, Weight, Tokens);
    }

    /// <summary>
    /// A group for each batch (of <c>per_device_train_batch_size</c>) in a stream, for losses that are added to each batch's own; none where the stream is no
    /// part of a step.
    /// </summary>
    /// <param name="weight">What the loss of a batch counts there.</param>
    public static IReadOnlyList<TokenGroup> OfBatches(PackedBatch stream, double weight)
    {
        var groups = new List<TokenGroup>();
        for (var sample = 0; sample < stream.SampleShare.Length; sample++)
        {
            var group = new TokenGroup(stream.CuSeqlens[sample], stream.CuSeqlens[sample + 1], weight * stream.SampleShare[sample]);
            if (sample > 0 && stream.SampleGroup[sample] == stream.SampleGroup[sample - 1])
            {
                groups[^1] = groups[^1] with { End = group.End, Weight = groups[^1].Weight + group.Weight };
            }
            else
            {
                groups.Add(group);
            }
        }

        return groups;
    }
}
