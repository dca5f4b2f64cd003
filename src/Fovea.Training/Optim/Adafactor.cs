using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Optim;

/// <summary>
/// Adafactor (arXiv 1804.04235) as <c>transformers.optimization.Adafactor</c> with the schedule's rate (<c>scale_parameter</c> and <c>relative_step</c> off)
/// and its other defaults. Of the squared gradients of a matrix it keeps the means of rows and columns, in fp32; so it needs whole weights.
/// </summary>
internal sealed class Adafactor : Optimizer
{
    private const double Tiny = 1e-30;
    private const double Decay = -0.8;

    private readonly double[] decays;
    private readonly double[] factors;
    private readonly Squares[] squares;

    /// <param name="parts">Whole weights.</param>
    /// <param name="weightDecay">Applied to what <see cref="DecayRule"/> names, per step: p *= 1 - rate * decay.</param>
    /// <param name="decayAll">Applied to everything.</param>
    /// <param name="factor">What the learning rate is multiplied by for a weight; null is 1 for all.</param>
    public Adafactor(IReadOnlyList<ParameterShard> parts, double weightDecay, bool decayAll = false, Func<Parameter, double>? factor = null)
        : base(parts)
    {
        var shapes = parts.Select(ShapeOf).ToList();
        decays = [.. parts.Select(p => DecayRule.Of(p, weightDecay, decayAll))];
        factors = [.. parts.Select(p => factor?.Invoke(p.Parameter) ?? 1)];
        squares = [.. parts.Select((p, i) => new Squares(shapes[i], p.Value.Device))];
    }

    /// <summary>Numbers that it keeps about a weight.</summary>
    public static long States(long[] shape) =>
        shape.Length < 2 ? Product(shape) : Product(shape[..^1]) + Product([.. shape[..^2], shape[^1]]);

    public override void Dispose()
    {
        foreach (var of in squares)
        {
            of.Rows.Dispose();
            of.Columns?.Dispose();
            of.Step.Dispose();
        }
    }

    protected internal override IEnumerable<OptimizerState> StateOf(int part)
    {
        var (name, of) = (Parts[part].Name, squares[part]);
        yield return new OptimizerState(of.Columns is null ? $"{name}.exp_avg_sq" : $"{name}.exp_avg_sq_row", Parts[part], of.Rows) { IsShared = true };
        if (of.Columns is { } columns)
        {
            yield return new OptimizerState($"{name}.exp_avg_sq_col", Parts[part], columns) { IsShared = true };
        }

        yield return new OptimizerState($"{name}.step", Parts[part], of.Step) { IsShared = true };
    }

    protected internal override void Apply(double rate, Tensor finite, Tensor? divisor)
    {
        var counts = finite.To(DType.Bool);
        for (var i = 0; i < Parts.Count; i++)
        {
            using var scope = TensorScope.Open("step");
            if (Gradient(Parts[i], divisor) is not { } given)
            {
                continue;
            }

            var (of, own) = (squares[i], rate * factors[i]);
            var gradient = given.View(of.Shape).To(DType.F32);
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

            update = update.Div(update.Norm().Mul(1 / Math.Sqrt(update.Count)).ClampMin(1)).Mul(own);
            var weight = Parts[i].Value;
            var value = weight.View(of.Shape).To(DType.F32);
            value = decays[i] == 0 ? value : value.AddScaled(value, -decays[i] * own);
            Set(weight, value.Sub(update).To(weight.DType).View(weight.Shape), counts);
            of.Step.Add_(finite);
        }
    }

    private static long Product(long[] sizes) => sizes.Aggregate(1L, (product, size) => product * size);

    private sealed class Squares
    {
        public Squares(long[] shape, Device device)
        {
            Shape = shape;
            Rows = CreateOps.Zeros(shape.Length < 2 ? shape : shape[..^1], DType.F32, device).Keep();
            Columns = shape.Length < 2 ? null : CreateOps.Zeros([.. shape[..^2], shape[^1]], DType.F32, device).Keep();
            Step = CreateOps.Zeros([1], DType.F64, device).Keep();
        }

        public long[] Shape { get; }

        /// <summary>The means over the last dimension, or where there is only one, the mean of each element.</summary>
        public Tensor Rows { get; }

        /// <summary>The means over the last dimension but one.</summary>
        public Tensor? Columns { get; }

        public Tensor Step { get; }
    }
}
