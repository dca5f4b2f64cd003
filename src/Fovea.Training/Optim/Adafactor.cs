using Fovea.Distributed;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Optim;

/// <summary>
/// Adafactor (arXiv 1804.04235) as <c>transformers.optimization.Adafactor</c> with the schedule's rate (<c>scale_parameter</c> and <c>relative_step</c> off)
/// and its other defaults. Of the squared gradients of a matrix it keeps the means of rows and columns, in fp32; so it needs whole weights.
/// </summary>
internal sealed class Adafactor : WholeWeightOptimizer
{
    private const double Tiny = 1e-30;
    private const double Decay = -0.8;

    private readonly double[] decays;
    private readonly double[] factors;
    private readonly Squares?[] squares;

    /// <param name="parts">What this rank moves.</param>
    /// <param name="divided">As <see cref="WholeWeightOptimizer"/> takes it.</param>
    /// <param name="weightDecay">Applied to what <see cref="DecayRule"/> names, per step: p *= 1 - rate * decay.</param>
    /// <param name="decayAll">Applied to everything.</param>
    /// <param name="factor">What the learning rate is multiplied by for a weight; null is 1 for all.</param>
    public Adafactor(
        IReadOnlyList<ParameterShard> parts, IReadOnlyList<FlatShard> divided, double weightDecay, bool decayAll = false,
        Func<Parameter, double>? factor = null)
        : base(parts, divided, _ => true)
    {
        decays = [.. parts.Select(p => DecayRule.Of(p, weightDecay, decayAll))];
        factors = [.. parts.Select(p => factor?.Invoke(p.Parameter) ?? 1)];
        squares = [.. parts.Select(p => IsOwner(p) ? new Squares(p.Parameter.Shape, p.Value.Device) : null)];
    }

    /// <summary>Numbers that it keeps about a weight.</summary>
    public static long States(long[] shape) =>
        shape.Length < 2 ? Product(shape) : Product(shape[..^1]) + Product([.. shape[..^2], shape[^1]]);

    public override void Dispose()
    {
        foreach (var of in squares.OfType<Squares>())
        {
            of.Rows.Dispose();
            of.Columns?.Dispose();
            of.Step.Dispose();
        }
    }

    protected internal override IEnumerable<OptimizerState> StateOf(int part)
    {
        if (squares[part] is not { } of)
        {
            yield break;
        }

        var (name, whole) = (Parts[part].Name, Whole(Parts[part]));
        yield return new OptimizerState(of.Columns is null ? $"{name}.exp_avg_sq" : $"{name}.exp_avg_sq_row", whole, of.Rows) { IsShared = true };
        if (of.Columns is { } columns)
        {
            yield return new OptimizerState($"{name}.exp_avg_sq_col", whole, columns) { IsShared = true };
        }

        yield return new OptimizerState($"{name}.step", whole, of.Step) { IsShared = true };
    }

    protected override Tensor Update(int part, Tensor gradient, double rate, Tensor finite)
    {
        var (of, own, counts) = (squares[part]!, rate * factors[part], finite.To(DType.Bool));
        gradient = gradient.To(DType.F32);
        var step = of.Step.Add(1);
        var fresh = step.Pow(Decay); // 1 - beta of this step, in fp64 as Python has it
        var (kept, added) = (fresh.Neg().Add(1).To(DType.F32), fresh.To(DType.F32));
        var square = gradient.Mul(gradient).Add(Tiny);
        Tensor update;
        if (of.Columns is { } columns)
        {
            var row = of.Rows.Mul(kept).Add(square.Mean(-1).Mul(added));
            var column = columns.Mul(kept).Add(square.Mean(-2).Mul(added));
            update = row.Div(row.Mean(-1, keepDim: true)).Rsqrt().Unsqueeze(-1).Mul(column.Unsqueeze(-2).Rsqrt()).Mul(gradient);
            Set(of.Rows, row, counts);
            Set(columns, column, counts);
        }
        else
        {
            var all = of.Rows.Mul(kept).Add(square.Mul(added));
            update = all.Rsqrt().Mul(gradient);
            Set(of.Rows, all, counts);
        }

        of.Step.Add_(finite);
        return update.Div(update.Norm().Mul(1 / Math.Sqrt(update.Count)).ClampMin(1)).Mul(own);
    }

    protected override void Move(int part, Tensor update, double rate, Tensor counts)
    {
        var (weight, own) = (Parts[part].Value, rate * factors[part]);
        var value = weight.To(DType.F32);
        value = decays[part] == 0 ? value : value.AddScaled(value, -decays[part] * own);
        Set(weight, value.Sub(update).To(weight.DType), counts);
    }

    private static long Product(long[] sizes) => sizes.Aggregate(1L, (product, size) => product * size);

    private sealed class Squares
    {
        public Squares(long[] shape, Device device)
        {
            Rows = CreateOps.Zeros(shape.Length < 2 ? shape : shape[..^1], DType.F32, device).Keep();
            Columns = shape.Length < 2 ? null : CreateOps.Zeros([.. shape[..^2], shape[^1]], DType.F32, device).Keep();
            Step = CreateOps.Zeros([1], DType.F64, device).Keep();
        }

        /// <summary>The means over the last dimension, or where there is only one, the mean of each element.</summary>
        public Tensor Rows { get; }

        /// <summary>The means over the last dimension but one.</summary>
        public Tensor? Columns { get; }

        public Tensor Step { get; }
    }
}
