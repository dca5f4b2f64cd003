using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Optim;

/// <summary>Lion (arXiv 2302.06675) with decoupled weight decay: every weight moves by the rate, in the direction of the sign of its momentum.</summary>
internal sealed class Lion : Optimizer
{
    private readonly double[] decays;
    private readonly double[] factors;
    private readonly Tensor[] means;
    private readonly double beta1;
    private readonly double beta2;

    /// <param name="parts">What this rank updates.</param>
    /// <param name="beta1">How much of the momentum the direction has; the gradient has the rest.</param>
    /// <param name="beta2">Decay of the momentum.</param>
    /// <param name="weightDecay">Applied to what <see cref="DecayRule"/> names, per step: p *= 1 - rate * decay.</param>
    /// <param name="decayAll">Applied to everything.</param>
    /// <param name="factor">What the learning rate is multiplied by for a weight; null is 1 for all.</param>
    public Lion(
        IReadOnlyList<ParameterShard> parts, double beta1, double beta2, double weightDecay, bool decayAll = false, Func<Parameter, double>? factor = null)
        : base(parts)
    {
        this.beta1 = beta1;
        this.beta2 = beta2;
        decays = [.. parts.Select(p => DecayRule.Of(p, weightDecay, decayAll))];
        factors = [.. parts.Select(p => factor?.Invoke(p.Parameter) ?? 1)];
        means = [.. parts.Select(NewLike)];
    }

    public override void Dispose()
    {
        foreach (var mean in means)
        {
            mean.Dispose();
        }
    }

    protected internal override IEnumerable<OptimizerState> StateOf(int part)
    {
        yield return new OptimizerState($"{Parts[part].Name}.exp_avg", Parts[part], means[part]);
    }

    protected internal override void Apply(double rate, Tensor finite, Tensor? divisor)
    {
        var counts = finite.To(DType.Bool);
        for (var i = 0; i < Parts.Count; i++)
        {
            using var scope = TensorScope.Open("step");
            if (Gradient(Parts[i], divisor) is not { } gradient)
            {
                continue;
            }

            var (weight, mean, own) = (Parts[i].Value, means[i], rate * factors[i]);
            var direction = mean.Mul(beta1).AddScaled(gradient, 1 - beta1).Sign();
            var shrunk = decays[i] == 0 ? weight : weight.Mul(1 - (own * decays[i]));
            Set(weight, shrunk.AddScaled(direction, -own), counts);
            Set(mean, mean.Mul(beta2).AddScaled(gradient, 1 - beta2), counts);
        }
    }
}
