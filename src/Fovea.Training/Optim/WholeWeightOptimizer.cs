using Fovea.Distributed;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Training.Optim;

/// <summary>
/// What optimizers do alike that look at weights as a whole. Where ranks have parts of flattened weights, each weight falls to one of them: it is given the
/// whole gradient, keeps the state and makes the update, and every rank moves its own parts by it. The sum of gradients over ranks apart, whose order is
/// theirs, the numbers are those of one rank.
/// </summary>
internal abstract class WholeWeightOptimizer : Optimizer
{
    private readonly IReadOnlyList<FlatShard> divided;
    private readonly Func<Parameter, bool> looksAt;
    private readonly Dictionary<Parameter, int> places;

    /// <param name="parts">What this rank moves.</param>
    /// <param name="divided">The buffers in which the parts lie (<see cref="ParallelStrategy.Divided"/>); empty where the parts are whole weights.</param>
    /// <param name="looksAt">Whether a weight is looked at as a whole.</param>
    protected WholeWeightOptimizer(IReadOnlyList<ParameterShard> parts, IReadOnlyList<FlatShard> divided, Func<Parameter, bool> looksAt)
        : base(parts)
    {
        (this.divided, this.looksAt) = (divided, looksAt);
        if (divided.Count == 0 && parts.FirstOrDefault(part => looksAt(part.Parameter) && part.Count != part.Parameter.Count) is { } cut)
        {
            throw new InvalidOperationException($"{cut.Name} is not here as a whole");
        }

        places = parts.Select((part, i) => (part, i)).ToDictionary(p => p.part.Parameter, p => p.i);
    }

    /// <summary>What is subtracted from a weight, up to a factor, fp32 or exact in it; its state moves with it.</summary>
    /// <param name="part">The number of a part of which this rank has the state.</param>
    /// <param name="gradient">In the weight's shape and element type.</param>
    /// <param name="finite">1 where the step counts, 0 where nothing may change.</param>
    protected abstract Tensor Update(int part, Tensor gradient, double rate, Tensor finite);

    /// <summary>Moves a part.</summary>
    /// <param name="update">What <see cref="Update"/> gave, as many elements as the part.</param>
    protected abstract void Move(int part, Tensor update, double rate, Tensor counts);

    /// <summary>Whether this rank has the state of a part's weight.</summary>
    protected bool IsOwner(ParameterShard part) => divided.FirstOrDefault(flat => flat.Weights.Contains(part.Parameter))?.Owns(part.Parameter) ?? true;

    /// <summary>The elements that a weight's state is about: all of them.</summary>
    protected static ParameterShard Whole(ParameterShard part) => part.IsWhole ? part : new ParameterShard(part.Parameter);

    protected internal override void Apply(double rate, Tensor finite, Tensor? divisor)
    {
        var counts = finite.To(DType.Bool);
        for (var i = 0; i < Parts.Count && divided.Count == 0; i++)
        {
            using var scope = TensorScope.Open("step");
            if (looksAt(Parts[i].Parameter) && Gradient(Parts[i], divisor) is { } gradient)
            {
                Move(i, Update(i, gradient.View(Parts[i].Parameter.Shape), rate, finite).Reshape(Parts[i].Value.Shape), rate, counts);
            }
        }

        foreach (var flat in divided)
        {
            using var scope = TensorScope.Open("step");
            List<Parameter> looked = [.. flat.Weights.Where(weight => looksAt(weight) && flat.HasGradient(weight))];
            if (looked.Count > 0)
            {
                Exchange(flat, looked, rate, finite, divisor);
            }
        }
    }

    private void Exchange(FlatShard flat, List<Parameter> looked, double rate, Tensor finite, Tensor? divisor)
    {
        var gradients = flat.GatherGradients();
        var updates = CreateOps.Zeros([flat.Count], DType.F32, gradients.Device);
        foreach (var weight in looked.Where(flat.Owns))
        {
            using var scope = TensorScope.Open("weight");
            var part = places[weight];
            var value = Parts[part].Value;
            var gradient = flat.Of(weight, gradients).To(value.Device).To(value.DType);
            flat.Of(weight, updates).Copy_(Update(part, divisor is null ? gradient : gradient.Div(divisor), rate, finite).Reshape(weight.Shape));
        }

        var mine = flat.Scatter(updates);
        foreach (var part in looked.Where(places.ContainsKey).Select(weight => places[weight]))
        {
            using var scope = TensorScope.Open("weight");
            Move(part, flat.Of(Parts[part], mine).To(Parts[part].Value.Device), rate, finite.To(DType.Bool));
        }
    }
}
