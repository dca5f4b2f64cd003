using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// The loss that keeps experts evenly used (arXiv 2101.03961), of all layers together as Transformers computes it: over a batch, the number of experts
/// times the sum over them of the share of choices that fell on each, times the mean of the scores that it had. Gathers both while a forward pass goes
/// through the layers.
/// </summary>
/// <remarks>Suffixes: T tokens, N experts, K experts of a token, G groups.</remarks>
/// <param name="groups">
/// The batches: stretches of the pass's tokens, how many tokens each has in all, and what its loss counts. Where ranks split the tokens, a stretch is this
/// rank's part and may be empty.
/// </param>
internal sealed class RouterBalance(IReadOnlyList<(int Start, int End, int Tokens, double Weight)> groups)
{
    private readonly List<Tensor> scores = [];
    private double[] counts = [];
    private bool closed;

    /// <summary>To be called by a layer inside its block; one that is computed again in the backward pass adds nothing.</summary>
    /// <param name="scores_TN">After the softmax, of all tokens.</param>
    /// <param name="chosen">The experts of each token, on the host.</param>
    public void Add(Tensor scores_TN, long[] chosen)
    {
        var sums = groups.Select(group => scores_TN.Slice(0, group.Start, group.End).Sum(0, keepDim: true)).ToArray();
        var sums_GN = sums.Length == 1 ? sums[0] : ShapeOps.Cat(sums);
        if (closed)
        {
            return;
        }

        scores.Add(TensorScope.Current?.Release(sums_GN) ?? sums_GN);
        var experts = (int)scores_TN.Size(1);
        var perToken = chosen.Length / (int)scores_TN.Size(0);
        counts = counts.Length == 0 ? new double[groups.Count * experts] : counts;
        for (var g = 0; g < groups.Count; g++)
        {
            for (var i = groups[g].Start * perToken; i < groups[g].End * perToken; i++)
            {
                counts[(g * experts) + chosen[i]]++;
            }
        }
    }

    /// <summary>Ends the forward pass. The weighed sum over the batches, of this rank's tokens; null where no layer has experts.</summary>
    /// <param name="sequences">Knows the choices of tokens that other ranks have.</param>
    public Tensor? Close(ISequencePlan sequences)
    {
        closed = true;
        if (scores.Count == 0)
        {
            return null;
        }

        counts = sequences.Total("the choices of experts", counts);
        var experts = counts.Length / groups.Count;
        var factors = new float[counts.Length];
        for (var i = 0; i < counts.Length; i++)
        {
            var (_, _, tokens, weight) = groups[i / experts];
            var seen = (double)tokens * scores.Count;
            factors[i] = (float)(weight * experts * counts[i] / seen / seen);
        }

        var sums_GN = scores.Aggregate((sum, layer) => sum.Add(layer));
        return sums_GN.Mul(CreateOps.On(sums_GN.Device, factors, groups.Count, experts)).Sum();
    }
}
