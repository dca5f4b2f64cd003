using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Optim;

/// <summary>
/// AdamW with decoupled weight decay (arXiv 1711.05101) over everything that is trainable. Its moments have the element type of the weights.
/// A weight without a gradient in a step is left alone, moments and all.
/// </summary>
internal sealed class AdamW : Optimizer
{
    /// <summary>Two moments.</summary>
    public const int StatesPerElement = 2;

    private readonly Moments[] moments;
    private readonly double beta1;
    private readonly double beta2;
    private readonly double epsilon;

    /// <summary>Over whole weights.</summary>
    public AdamW(IEnumerable<Parameter> parameters, double beta1, double beta2, double epsilon, double weightDecay)
        : this([.. parameters.Select(p => new ParameterShard(p))], beta1, beta2, epsilon, weightDecay)
    {
    }

    /// <param name="parts">What this rank updates.</param>
    /// <param name="weightDecay">Applied to what <see cref="DecayRule"/> names, per step: p *= 1 - rate * decay.</param>
    /// <param name="decayAll">Applied to everything.</param>
    /// <param name="factor">What the learning rate is multiplied by for a weight (<see cref="RateRule"/>); null is 1 for all.</param>
    public AdamW(
        IReadOnlyList<ParameterShard> parts, double beta1, double beta2, double epsilon, double weightDecay, bool decayAll = false,
        Func<Parameter, double>? factor = null)
        : base(parts)
    {
        this.beta1 = beta1;
        this.beta2 = beta2;
        this.epsilon = epsilon;
        moments = [.. parts.Select(p => new Moments(p, DecayRule.Of(p, weightDecay, decayAll), factor?.Invoke(p.Parameter) ?? 1))];
    }

    public override void Dispose()
    {
        foreach (var moment in moments)
        {
            moment.Mean.Dispose();
            moment.Variance.Dispose();
            moment.Step.Dispose();
        }
    }

    protected internal override IEnumerable<OptimizerState> StateOf(int part)
    {
        var of = moments[part];
        yield return new OptimizerState($"{of.Part.Name}.exp_avg", of.Part, of.Mean);
        yield return new OptimizerState($"{of.Part.Name}.exp_avg_sq", of.Part, of.Variance);
        yield return new OptimizerState($"{of.Part.Name}.step", of.Part, of.Step) { IsShared = true };
    }

    protected internal override void Apply(double rate, Tensor finite, Tensor? divisor)
    {
        var skip = finite.Neg().Add(1);
        using var scope = TensorScope.Open("step");
        foreach (var group in moments.GroupBy(m => (m.Decay, m.Factor)))
        {
            var with = group.Select(m => (Moments: m, Gradient: m.Part.Gradient())).Where(m => m.Gradient is not null).ToArray();
            if (with.Length == 0)
            {
                continue;
            }

            var steps = Array.ConvertAll(with, m => m.Moments.Step);
            MathOps.AddAll_(steps, finite);
            NetOps.FusedAdamW_(
                Array.ConvertAll(with, m => m.Moments.Part.Value),
                Array.ConvertAll(with, m => m.Gradient!),
                Array.ConvertAll(with, m => m.Moments.Mean),
                Array.ConvertAll(with, m => m.Moments.Variance),
                steps,
                rate * group.Key.Factor, beta1, beta2, group.Key.Decay, epsilon, divisor, skip);
        }
    }

    private sealed class Moments(ParameterShard part, double decay, double factor)
    {
        public ParameterShard Part { get; } = part;

        public double Decay { get; } = decay;

        public double Factor { get; } = factor;

        public Tensor Mean { get; } = CreateOps.Zeros(part.Value.Shape, part.Value.DType, part.Value.Device).Keep();

        public Tensor Variance { get; } = CreateOps.Zeros(part.Value.Shape, part.Value.DType, part.Value.Device).Keep();

        public Tensor Step { get; } = CreateOps.Zeros([1], DType.F32, part.Value.Device).Keep();
    }
}
