using System.Text.RegularExpressions;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Optim;

/// <summary>
/// AdamW whose two moments are bytes with an fp32 scale for every <see cref="BlockSize"/> elements in a row of the flattened weight (arXiv 2110.02861), as
/// bitsandbytes' AdamW with <c>optim_bits=8</c>. Weights of fewer than <see cref="Least"/> elements and embeddings go by <see cref="AdamW"/>, as there and in
/// Transformers. Blocks begin at the weight's own multiples of 256, and ranks are given whole ones, so that dividing changes none.
/// </summary>
internal sealed partial class EightBitAdamW : Optimizer
{
    /// <summary>Elements that share a scale.</summary>
    public const long BlockSize = 256;

    /// <summary>Elements from which on a weight's moments are bytes.</summary>
    public const long Least = 4096;

    private readonly Moments?[] moments;
    private readonly AdamW rest;
    private readonly int[] places;
    private readonly double beta1;
    private readonly double beta2;
    private readonly double epsilon;

    /// <param name="parts">What this rank updates; parts of weights begin at multiples of <see cref="BlockSize"/>.</param>
    /// <param name="weightDecay">Applied to what <see cref="DecayRule"/> names, per step: p *= 1 - rate * decay.</param>
    /// <param name="decayAll">Applied to everything.</param>
    /// <param name="factor">What the learning rate is multiplied by for a weight; null is 1 for all.</param>
    public EightBitAdamW(
        IReadOnlyList<ParameterShard> parts, double beta1, double beta2, double epsilon, double weightDecay, bool decayAll = false,
        Func<Parameter, double>? factor = null)
        : base(parts)
    {
        (this.beta1, this.beta2, this.epsilon) = (beta1, beta2, epsilon);
        if (parts.FirstOrDefault(p => IsPacked(p.Parameter) && p.Start % BlockSize != 0) is { } cut)
        {
            throw new InvalidOperationException($"{cut.Name} is split at element {cut.Start}, within a block of {BlockSize}");
        }

        moments = [.. parts.Select(p =>
            IsPacked(p.Parameter) ? new Moments(p, DecayRule.Of(p, weightDecay, decayAll), factor?.Invoke(p.Parameter) ?? 1) : null)];
        var others = new List<ParameterShard>();
        places = [.. parts.Select(p =>
        {
            if (IsPacked(p.Parameter))
            {
                return -1;
            }

            others.Add(p);
            return others.Count - 1;
        })];
        rest = new AdamW(others, beta1, beta2, epsilon, weightDecay, decayAll, factor);
    }

    /// <summary>Whether a weight's moments are bytes.</summary>
    public static bool IsPacked(Parameter weight) =>
        weight.Count >= Least && weight.Block?.Kind != BlockKind.Lookup && !Table().IsMatch(weight.Name);

    /// <summary>Bytes of the moments of so many elements.</summary>
    public static long Bytes(long elements) => 2 * (elements + (Blocks(elements) * sizeof(float)));

    public override void Dispose()
    {
        rest.Dispose();
        foreach (var tensor in moments.OfType<Moments>().SelectMany(m => (Tensor[])[m.Mean, m.MeanScales, m.Variance, m.VarianceScales, m.Step]))
        {
            tensor.Dispose();
        }
    }

    protected internal override IEnumerable<OptimizerState> StateOf(int part)
    {
        if (moments[part] is not { } of)
        {
            return rest.StateOf(places[part]);
        }

        // By bitsandbytes' names; those of AdamW in fp32 are others, so that neither takes the other's for its own.
        var name = of.Part.Name;
        return
        [
            new OptimizerState($"{name}.state1", of.Part, of.Mean),
            new OptimizerState($"{name}.absmax1", of.Part, of.MeanScales) { Block = BlockSize },
            new OptimizerState($"{name}.state2", of.Part, of.Variance),
            new OptimizerState($"{name}.absmax2", of.Part, of.VarianceScales) { Block = BlockSize },
            new OptimizerState($"{name}.step", of.Part, of.Step) { IsShared = true },
        ];
    }

    protected internal override void Apply(double rate, Tensor finite, Tensor? divisor)
    {
        using var scope = TensorScope.Open("step");
        var skip = finite.Neg().Add(1);
        foreach (var group in moments.OfType<Moments>().GroupBy(m => (m.Decay, m.Factor)))
        {
            var with = group.Select(m => (Moments: m, Gradient: m.Part.Gradient())).Where(m => m.Gradient is not null).ToArray();
            if (with.Length == 0)
            {
                continue;
            }

            var steps = Array.ConvertAll(with, m => m.Moments.Step);
            MathOps.AddAll_(steps, finite);
            NetOps.EightBitAdamW_(
                Array.ConvertAll(with, m => m.Moments.Part.Value),
                Array.ConvertAll(with, m => m.Gradient!),
                Array.ConvertAll(with, m => m.Moments.Mean),
                Array.ConvertAll(with, m => m.Moments.MeanScales),
                Array.ConvertAll(with, m => m.Moments.Variance),
                Array.ConvertAll(with, m => m.Moments.VarianceScales),
                steps,
                rate * group.Key.Factor, beta1, beta2, group.Key.Decay, epsilon, divisor, skip);
        }

        rest.Apply(rate, finite, divisor);
    }

    private static long Blocks(long elements) => (elements + BlockSize - 1) / BlockSize;

    /// <summary>Tables in which rows are looked up, beside those of a block of that kind: positions of a vision tower.</summary>
    [GeneratedRegex(@"(^|[._])(embed_tokens|pos_embed|position_embedding)\.weight$", RegexOptions.CultureInvariant)]
    private static partial Regex Table();

    private sealed class Moments(ParameterShard part, double decay, double factor)
    {
        public ParameterShard Part { get; } = part;

        public double Decay { get; } = decay;

        public double Factor { get; } = factor;

        public Tensor Mean { get; } = Zeros(part, part.Count, DType.U8);

        public Tensor MeanScales { get; } = Zeros(part, Blocks(part.Count), DType.F32);

        public Tensor Variance { get; } = Zeros(part, part.Count, DType.U8);

        public Tensor VarianceScales { get; } = Zeros(part, Blocks(part.Count), DType.F32);

        public Tensor Step { get; } = Zeros(part, 1, DType.F32);

        private static Tensor Zeros(ParameterShard part, long count, DType type) => CreateOps.Zeros([count], type, part.Value.Device).Keep();
    }
}
