using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Optim;

/// <summary>What all optimizers do alike: the norm of all gradients together, clipping, steps that are left out, and which state is saved.</summary>
internal abstract class Optimizer(IReadOnlyList<ParameterShard> parts) : IOptimizer
{
    public IReadOnlyList<ParameterShard> Parts { get; } = parts;

    /// <summary>Base weights go along in the precision in which they are trained, because a checkpoint stores them in the model's own.</summary>
    public IEnumerable<OptimizerState> State
    {
        get
        {
            for (var i = 0; i < Parts.Count; i++)
            {
                var part = Parts[i];
                foreach (var state in StateOf(i))
                {
                    yield return state;
                }

                if (!part.IsAdapter)
                {
                    yield return new OptimizerState($"{part.Name}.master", part, part.Value);
                }
            }
        }
    }

    public Tensor Update(double rate, double maxNorm, Tensor loss, Func<Tensor, Tensor>? sumOverRanks = null, double scale = 1)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("step");
        var norm = Norm();
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
        ClearGradients();
        return scope.Release(ShapeOps.Cat([loss.To(DType.F64).View(1), norm.To(DType.F64).View(1)]));
    }

    public void ClearGradients()
    {
        foreach (var part in Parts)
        {
            part.ClearGradient();
        }
    }

    public void Restore(Func<OptimizerState, Tensor> read)
    {
        using var grad = Autograd.NoGrad();
        foreach (var state in State)
        {
            using var scope = TensorScope.Open("weight");
            state.Value.Copy_(read(state).View(state.Value.Shape));
        }
    }

    public abstract void Dispose();

    /// <summary>The state of one part, by its number.</summary>
    protected internal abstract IEnumerable<OptimizerState> StateOf(int part);

    /// <summary>Updates every part that has a gradient.</summary>
    /// <param name="finite">1 where the step counts, 0 where nothing may change; fp32 without dimensions, on the device.</param>
    /// <param name="divisor">What gradients are divided by, on the device; null is 1.</param>
    protected internal abstract void Apply(double rate, Tensor finite, Tensor? divisor);

    /// <summary>The gradient as it is to be used, in the open scope; null without one.</summary>
    protected static Tensor? Gradient(ParameterShard part, Tensor? divisor) =>
        part.Gradient() is { } gradient ? divisor is null ? gradient : gradient.Div(divisor) : null;

    /// <summary>Gives a tensor a new value where the step counts.</summary>
    protected static void Set(Tensor old, Tensor value, Tensor counts) => old.Copy_(UpdateOps.Where(counts, value, old));

    /// <summary>Zeros, one for each element of a part.</summary>
    protected static Tensor NewLike(ParameterShard part) => CreateOps.Zeros(part.Value.Shape, part.Value.DType, part.Value.Device).Keep();

    /// <summary>A count that begins at 0, beside a part.</summary>
    protected static Tensor NewCount(ParameterShard part) => CreateOps.Zeros([1], DType.F32, part.Value.Device).Keep();

    /// <summary>The L2 norm of all gradients together, in fp32.</summary>
    private Tensor Norm()
    {
        Tensor[] gradients = [.. Parts.Select(part => part.Gradient()).OfType<Tensor>()];
        return gradients.Length == 0
            ? CreateOps.Zeros([], DType.F32, Parts.Count == 0 ? Device.Cpu : Parts[0].Value.Device)
            : ShapeOps.Cat(Array.ConvertAll(MathOps.Norms(gradients), norm => norm.To(DType.F32).View(1))).Norm();
    }
}
