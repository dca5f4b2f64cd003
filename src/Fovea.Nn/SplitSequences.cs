using System.Globalization;
using System.Numerics;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// A packed batch whose tokens are split over ranks (Ulysses, arXiv 2309.14509): every rank has an equal part of the tokens with all heads, and, for what
/// brings tokens together, all tokens with an equal part of the heads. An exchange lies before and behind it.
/// </summary>
/// <remarks>
/// Suffixes: T all tokens, S this rank's, N ranks, H query or value heads, G key heads, D head size, C columns; in a weight of a convolution K is its length.
/// </remarks>
/// <param name="samples">Of all tokens; their number is a multiple of the ranks.</param>
internal sealed class SplitSequences(Segments samples, ISequenceExchange exchange) : ISequencePlan
{
    private readonly PackedAttention whole = new(samples);

    /// <summary>Why heads cannot be split over ranks; null where they can.</summary>
    /// <param name="heads">Of queries, or of values in a recurrence.</param>
    public static string? Refusal(int heads, int ranks) => heads % ranks == 0 ? null : string.Create(
        CultureInfo.InvariantCulture, $"{heads} heads cannot be split evenly over {ranks} ranks");

    public Tensor Attend(int layer, Tensor q_SHD, Tensor k_SGD, Tensor v_SGD, double scale)
    {
        var groups = Repeated(q_SHD.Size(1), k_SGD.Size(1));
        var parts = ToHeads(Name("queries, keys and values", layer), q_SHD, Repeat(k_SGD, groups), Repeat(v_SGD, groups));
        return ToTokens(whole.Attend(layer, parts[0], parts[1], parts[2], scale), Name("attention", layer));
    }

    public Tensor Convolve(int layer, GatedDeltaShape shape, Tensor x_SC, Tensor weight_CK)
    {
        var keys = Repeated(shape.ValueHeads, shape.KeyHeads);
        var (q, k, v) = shape.Parts(x_SC);
        var mine = ToHeads(Name("columns", layer), Repeat(q, keys), Repeat(k, keys), v);
        var rows = weight_CK.Split([shape.Keys, shape.Keys, shape.Values], 0);
        return whole.Convolve(
            layer, OfRank(shape), ShapeOps.Cat([.. mine.Select(part => part.Reshape(samples.Tokens, -1))], 1),
            ShapeOps.Cat([Mine(rows[0], shape.KeyHeads, keys), Mine(rows[1], shape.KeyHeads, keys), Mine(rows[2], shape.ValueHeads, shape.ValueHeads)]));

        // The rows of this rank's heads.
        Tensor Mine(Tensor rows_CK, long heads, long repeated)
        {
            var each = repeated / exchange.Size;
            var all = Repeat(rows_CK.Reshape(1, heads, -1), repeated);
            return all.Slice(1, exchange.Rank * each, (exchange.Rank + 1) * each).Reshape(-1, shape.ConvolutionLength);
        }
    }

    public Tensor Recur(int layer, GatedDeltaShape shape, Tensor mixed_TC, Tensor g_SH, Tensor beta_SH)
    {
        var gates = ToHeads(Name("gates", layer), g_SH.Unsqueeze(2), beta_SH.Unsqueeze(2));
        var core_THV = whole.Recur(layer, OfRank(shape), mixed_TC, gates[0].Squeeze(2), gates[1].Squeeze(2));
        return ToTokens(core_THV, Name("the recurrence", layer)).View(-1, shape.ValueHeads, shape.ValueSize);
    }

    public double[] Total(string what, double[] values) => exchange.Sum(what, values);

    private static string Name(string what, int layer) => string.Create(CultureInfo.InvariantCulture, $"{what} of layer {layer}");

    /// <summary>Heads that share keys stay together: each key head comes so often that every rank has as many.</summary>
    private static Tensor Repeat(Tensor x_SGD, long heads)
    {
        var (tokens, groups, size) = (x_SGD.Size(0), x_SGD.Size(1), x_SGD.Size(2));
        return groups == heads
            ? x_SGD
            : x_SGD.Unsqueeze(2).Expand(tokens, groups, heads / groups, size).Reshape(tokens, heads, size);
    }

    private long Repeated(long heads, long keyHeads) => Refusal((int)heads, exchange.Size) is { } why
        ? throw new InvalidOperationException(why)
        : keyHeads / (long)BigInteger.GreatestCommonDivisor(keyHeads, exchange.Size) * exchange.Size;

    private GatedDeltaShape OfRank(GatedDeltaShape shape) => shape with
    {
        KeyHeads = (int)(Repeated(shape.ValueHeads, shape.KeyHeads) / exchange.Size),
        ValueHeads = shape.ValueHeads / exchange.Size,
    };

    /// <summary>Of each [S, heads, size] all tokens with this rank's heads [T, heads / N, size], in one exchange.</summary>
    private Tensor[] ToHeads(string what, params Tensor[] parts_SHD)
    {
        var ranks = exchange.Size;
        var send = ShapeOps.Cat([.. parts_SHD.Select(part => part.Reshape(part.Size(0), ranks, -1).Transpose(0, 1))], 2);
        var all_TC = exchange.Swap(send, what).View(samples.Tokens, -1);
        var split = all_TC.Split([.. parts_SHD.Select(part => part.Size(1) * part.Size(2) / ranks)], 1);
        return [.. split.Zip(parts_SHD, (mine, part) => mine.View(samples.Tokens, part.Size(1) / ranks, part.Size(2)))];
    }

    /// <summary>Of all tokens with this rank's heads those of this rank with all heads [S, C].</summary>
    private Tensor ToTokens(Tensor x, string what)
    {
        var own = samples.Tokens / exchange.Size;
        return exchange.Swap(x.Reshape(exchange.Size, own, -1), what).Transpose(0, 1).Reshape(own, -1);
    }
}
