using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Engine;

/// <summary>
/// AdamW with decoupled weight decay (arXiv 1711.05101) over everything that learns. Its moments have the element type of the weights.
/// A weight without a gradient in a step is left alone, moments and all.
/// </summary>
public sealed class AdamW : IDisposable
{
    private readonly List<State> states;
    private readonly double beta1;
    private readonly double beta2;
    private readonly double epsilon;

    /// <summary>Over whole weights.</summary>
    public AdamW(IEnumerable<Parameter> parameters, double beta1, double beta2, double epsilon, double weightDecay)
        : this(parameters.Select(p => new LearnedPart(p)), beta1, beta2, epsilon, weightDecay)
    {
    }

    /// <param name="parts">What this rank updates.</param>
    /// <param name="weightDecay">Applied to what <see cref="DecayRule"/> names, per step: p *= 1 - rate * decay.</param>
    /// <param name="decayAll">Applied to everything.</param>
    public AdamW(IEnumerable<LearnedPart> parts, double beta1, double beta2, double epsilon, double weightDecay, bool decayAll = false)
    {
        this.beta1 = beta1;
        this.beta2 = beta2;
        this.epsilon = epsilon;
        states = [.. parts.Select(p => new State(p, decayAll || DecayRule.Applies(p) ? weightDecay : 0))];
    }

    /// <summary>What it updates.</summary>
    public IEnumerable<LearnedPart> Parts => states.Select(s => s.Part);

    /// <summary>
    /// Everything that a resumed run needs, by name; the tensors belong to the optimizer. Base weights go along in the precision in which they learn,
    /// because a checkpoint stores them in the model's own.
    /// </summary>
    public IEnumerable<SavedState> Saved
    {
        get
        {
            foreach (var state in states)
            {
                var part = state.Part;
                yield return new SavedState($"{part.Name}.exp_avg", part, state.Mean);
                yield return new SavedState($"{part.Name}.exp_avg_sq", part, state.Variance);
                yield return new SavedState($"{part.Name}.step", part, state.Step) { IsCount = true };
                if (!part.IsAdapter)
                {
                    yield return new SavedState($"{part.Name}.master", part, part.Value);
                }
            }
        }
    }

    /// <summary>Bytes of moments.</summary>
    public long Bytes => states.Sum(s => 2 * s.Part.Count * s.Part.Value.DType.Size());

    /// <summary>The L2 norm of all gradients together, in fp32.</summary>
    public double GradientNorm()
    {
        using var scope = TensorScope.Open("step");
        return QueueNorm(Gradients()).Item();
    }

    /// <summary>
    /// Clips the gradients together, makes one update and clears them, all queued on the device without waiting for it. When loss or norm is no finite
    /// number, weights and moments stay as they are. The results belong to the open scope.
    /// </summary>
    /// <param name="maxNorm">L2 norm to which the gradients are clipped; 0 is never.</param>
    /// <param name="loss">The loss of the step, one number on the device.</param>
    /// <param name="scale">What gradients have been multiplied by (<see cref="LossScale"/>); the loss has not.</param>
    /// <param name="sumOverRanks">Where other ranks have the other parts: adds their numbers to one of this rank's.</param>
    /// <returns>Loss and norm before clipping, fp64 [2] on the device of what learns.</returns>
    public Tensor Update(double rate, double maxNorm, Tensor loss, Func<Tensor, Tensor>? sumOverRanks = null, double scale = 1)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("step");
        var norm = QueueNorm(Gradients());
        if (sumOverRanks is not null)
        {
            norm = sumOverRanks(norm.Mul(norm)).Pow(0.5);
        }

        norm = scale == 1 ? norm : norm.Mul(1 / scale);
        loss = loss.To(norm.Device);
        var finite = norm.Add(loss.To(DType.F32)).IsFinite().To(DType.F32);
        var divisor = maxNorm > 0 ? norm.Add(1e-6).Mul(1 / maxNorm).ClampMin(1) : null;
        divisor = scale == 1 ? divisor : divisor?.Mul(scale) ?? CreateOps.Full([], scale, DType.F32, norm.Device);
        Apply(rate, finite, divisor);
        return scope.Release(ShapeOps.Cat([loss.To(DType.F64).View(1), norm.To(DType.F64).View(1)]));
    }

    /// <summary>Multiplies every gradient.</summary>
    public void ScaleGradients(double factor)
    {
        using var scope = TensorScope.Open("step");
        MathOps.MulAll_(Gradients(), factor);
    }

    /// <summary>One update at this learning rate; gradients are cleared.</summary>
    public void Step(double rate)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("step");
        Apply(rate, null, null);
    }

    private void Apply(double rate, Tensor? finite, Tensor? divisor)
    {
        var skip = finite?.Neg().Add(1);
        using (TensorScope.Open("step"))
        {
            foreach (var group in states.GroupBy(s => s.Decay))
            {
                var with = group.Select(s => (State: s, Gradient: s.Part.Gradient())).Where(s => s.Gradient is not null).ToArray();
                if (with.Length == 0)
                {
                    continue;
                }

                var steps = Array.ConvertAll(with, s => s.State.Step);
                MathOps.AddAll_(steps, finite ?? CreateOps.Ones([], DType.F32, steps[0].Device));
                NetOps.FusedAdamW_(
                    Array.ConvertAll(with, s => s.State.Part.Value),
                    Array.ConvertAll(with, s => s.Gradient!),
                    Array.ConvertAll(with, s => s.State.Mean),
                    Array.ConvertAll(with, s => s.State.Variance),
                    steps,
                    rate, beta1, beta2, group.Key, epsilon, divisor, skip);
            }
        }

        ClearGradients();
    }

    public void ClearGradients()
    {
        foreach (var state in states)
        {
            state.Part.ClearGradient();
        }
    }

    /// <summary>Takes back what <see cref="Saved"/> gave.</summary>
    /// <param name="read">Supplies what was saved of one of them, as many elements in a row; it belongs to the open scope.</param>
    public void Restore(Func<SavedState, Tensor> read)
    {
        using var grad = Autograd.NoGrad();
        foreach (var state in Saved)
        {
            using var scope = TensorScope.Open("weight");
            state.Value.Copy_(read(state).View(state.Value.Shape));
        }
    }

    public void Dispose()
    {
        foreach (var state in states)
        {
            state.Mean.Dispose();
            state.Variance.Dispose();
            state.Step.Dispose();
        }
    }

    private Tensor QueueNorm(Tensor[] gradients)
    {
        if (gradients.Length == 0)
        {
            return CreateOps.Zeros([], DType.F32, states.Count == 0 ? Device.Cpu : states[0].Part.Value.Device);
        }

        return ShapeOps.Cat(Array.ConvertAll(MathOps.Norms(gradients), norm => norm.To(DType.F32).View(1))).Norm();
    }

    private Tensor[] Gradients() => [.. states.Select(s => s.Part.Gradient()).OfType<Tensor>()];

    private sealed class State(LearnedPart part, double decay)
    {
        public LearnedPart Part { get; } = part;

        public double Decay { get; } = decay;

        public Tensor Mean { get; } = CreateOps.Zeros(part.Value.Shape, part.Value.DType, part.Value.Device).Keep();

        public Tensor Variance { get; } = CreateOps.Zeros(part.Value.Shape, part.Value.DType, part.Value.Device).Keep();

        public Tensor Step { get; } = CreateOps.Zeros([1], DType.F32, part.Value.Device).Keep();
    }
}
