using Fovea.Distributed;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Optim;

/// <summary>
/// Muon (Keller Jordan; arXiv 2502.16982): the momentum of a matrix is made nearly orthogonal by Newton-Schulz steps in bf16, as <c>torch.optim.Muon</c>,
/// and has the size of AdamW's updates (<c>match_rms_adamw</c>). Embeddings, heads and what is no matrix go by AdamW. Weight decay applies to everything.
/// Both as LLaMA-Factory divides it. It needs whole weights.
/// </summary>
internal sealed class Muon : WholeWeightOptimizer
{
    private const double A = 3.4445;
    private const double B = -4.7750;
    private const double C = 2.0315;
    private const double Least = 1e-7;
    private const double Momentum = 0.95;
    private const int Rounds = 5;

    private readonly double weightDecay;
    private readonly Tensor?[] buffers;
    private readonly double[] factors;
    private readonly AdamW rest;
    private readonly int[] places;

    /// <param name="parts">What this rank moves.</param>
    /// <param name="divided">As <see cref="WholeWeightOptimizer"/> takes it.</param>
    /// <param name="weightDecay">Per step: p *= 1 - rate * decay.</param>
    /// <param name="factor">What the learning rate is multiplied by for a weight; null is 1 for all.</param>
    public Muon(
        IReadOnlyList<ParameterShard> parts, IReadOnlyList<FlatShard> divided, double beta1, double beta2, double epsilon, double weightDecay,
        Func<Parameter, double>? factor = null)
        : base(parts, divided, IsMatrix)
    {
        this.weightDecay = weightDecay;
        buffers = [.. parts.Select(p => IsMatrix(p.Parameter) && IsOwner(p) ? NewBuffer(p) : null)];
        factors = [.. parts.Select(p => factor?.Invoke(p.Parameter) ?? 1)];
        var others = new List<ParameterShard>();
        places = [.. parts.Select(p =>
        {
            if (IsMatrix(p.Parameter))
            {
                return -1;
            }

            others.Add(p);
            return others.Count - 1;
        })];
        rest = new AdamW(others, beta1, beta2, epsilon, weightDecay, decayAll: true, factor);
    }

    /// <summary>Whether a weight is updated as a matrix.</summary>
    public static bool IsMatrix(Parameter weight) =>
        weight.Shape.Length == 2 && !weight.Name.Contains("embed", StringComparison.Ordinal) && !weight.Name.Contains("lm_head", StringComparison.Ordinal);

    public override void Dispose()
    {
        rest.Dispose();
        foreach (var buffer in buffers)
        {
            buffer?.Dispose();
        }
    }

    protected internal override IEnumerable<OptimizerState> StateOf(int part) =>
        buffers[part] is { } buffer ? [new OptimizerState($"{Parts[part].Name}.momentum_buffer", Whole(Parts[part]), buffer)]
        : places[part] < 0 ? []
        : rest.StateOf(places[part]);

    protected internal override void Apply(double rate, Tensor finite, Tensor? divisor)
    {
        base.Apply(rate, finite, divisor);
        rest.Apply(rate, finite, divisor);
    }

    protected override Tensor Update(int part, Tensor gradient, double rate, Tensor finite)
    {
        var buffer = buffers[part]!;
        var next = buffer.Lerp(gradient.View(buffer.Shape), 1 - Momentum);
        var update = Orthogonal(gradient.View(buffer.Shape).Lerp(next, Momentum).View(gradient.Shape)).Reshape(gradient.Shape);
        Set(buffer, next, finite.To(DType.Bool));
        return update;
    }

    protected override void Move(int part, Tensor update, double rate, Tensor counts)
    {
        var (weight, shape, own) = (Parts[part].Value, Parts[part].Parameter.Shape, rate * factors[part]);
        Set(weight, weight.Mul(1 - (own * weightDecay)).AddScaled(update, -own * 0.2 * Math.Sqrt(Math.Max(shape[0], shape[1]))), counts);
    }

    private static Tensor NewBuffer(ParameterShard part) =>
        CreateOps.Zeros(part.Count == part.Parameter.Count ? part.Value.Shape : part.Parameter.Shape, part.Value.DType, part.Value.Device).Keep();

    /// <summary>Singular values of between 0.7 and 1.2 in place of what they were.</summary>
    private static Tensor Orthogonal(Tensor matrix)
    {
        var tall = matrix.Size(0) > matrix.Size(1);
        var x = matrix.To(DType.BF16);
        x = tall ? x.Transpose() : x;
        x = x.Div(x.Norm().ClampMin(Least));
        for (var round = 0; round < Rounds; round++)
        {
            var gram = x.MatMul(x.Transpose());
            x = x.AddMm(gram.AddMm(gram, gram, B, C), x, A);
        }

        return tall ? x.Transpose() : x;
    }
}
