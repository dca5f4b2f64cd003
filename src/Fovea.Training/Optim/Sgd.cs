using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Optim;

/// <summary>Stochastic gradient descent with momentum, as <c>torch.optim.SGD</c>: weight decay is added to the gradient.</summary>
internal sealed class Sgd : Optimizer
{
    private readonly double[] decays;
    private readonly double[] factors;
    private readonly Tensor[] buffers;
    private readonly Tensor[] steps;
    private readonly double momentum;
    private readonly double dampening;
    private readonly bool nesterov;

    /// <param name="parts">What this rank updates.</param>
    /// <param name="weightDecay">Applied to what <see cref="DecayRule"/> names.</param>
    /// <param name="decayAll">Applied to everything.</param>
    /// <param name="factor">What the learning rate is multiplied by for a weight; null is 1 for all.</param>
    public Sgd(
        IReadOnlyList<ParameterShard> parts, double momentum, double dampening, bool nesterov, double weightDecay, bool decayAll = false,
        Func<Parameter, double>? factor = null)
        : base(parts)
    {
        this.momentum = momentum;
        this.dampening = dampening;
        this.nesterov = nesterov;
        decays = [.. parts.Select(p => DecayRule.Of(p, weightDecay, decayAll))];
        factors = [.. parts.Select(p => factor?.Invoke(p.Parameter) ?? 1)];
        buffers = momentum == 0 ? [] : [.. parts.Select(NewLike)];
        steps = momentum == 0 ? [] : [.. parts.Select(NewCount)];
    }

    public override void Dispose()
    {
        foreach (var tensor in buffers.Concat(steps))
        {
            tensor.Dispose();
        }
    }

    protected internal override IEnumerable<OptimizerState> StateOf(int part)
    {
        if (momentum != 0)
        {
            yield return new OptimizerState($"{Parts[part].Name}.momentum_buffer", Parts[part], buffers[part]);
            yield return new OptimizerState($"{Parts[part].Name}.step", Parts[part], steps[part]) { IsShared = true };
        }
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

            var weight = Parts[i].Value;
            gradient = decays[i] == 0 ? gradient : gradient.AddScaled(weight, decays[i]);
            if (momentum != 0)
            {
                // The first gradient is the first momentum, whatever the dampening.
                var first = steps[i].IsEqual(CreateOps.Zeros([1], DType.F32, weight.Device));
                var buffer = UpdateOps.Where(first, gradient, buffers[i].Mul(momentum).AddScaled(gradient, 1 - dampening));
                gradient = nesterov ? gradient.AddScaled(buffer, momentum) : buffer;
                Set(buffers[i], buffer, counts);
                steps[i].Add_(finite);
            }

            Set(weight, weight.AddScaled(gradient, -rate * factors[i]), counts);
        }
    }
}
