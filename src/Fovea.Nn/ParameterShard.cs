using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>What an optimizer updates on this rank: a weight, or of its flattened elements those that fall to this rank.</summary>
internal sealed class ParameterShard
{
    private readonly Tensor? value;
    private readonly Func<Tensor?>? gradient;

    /// <summary>A whole weight, with the gradient that backward leaves at it.</summary>
    public ParameterShard(Parameter parameter)
    {
        Parameter = parameter;
        Count = parameter.Count;
    }

    /// <summary>A part of a weight.</summary>
    /// <param name="start">Its first element among the flattened ones.</param>
    /// <param name="value">The part [n], in the element type in which it is trained; belongs to whoever made it.</param>
    /// <param name="gradient">Its gradient of the step, of any floating-point type, in the open scope; null when nobody has one.</param>
    public ParameterShard(Parameter parameter, long start, Tensor value, Func<Tensor?> gradient)
    {
        Parameter = parameter;
        this.value = value;
        this.gradient = gradient;
        Start = start;
        Count = value.Count;
    }

    /// <summary>The weight that it is, or is a part of.</summary>
    public Parameter Parameter { get; }

    /// <summary>The weight's name.</summary>
    public string Name => Parameter.Name;

    /// <summary>Whether it is an adapter's, not the model's.</summary>
    public bool IsAdapter => Parameter.IsAdapter;

    /// <summary>Whether it belongs to a layer norm.</summary>
    public bool IsNorm => Parameter.IsNorm;

    public long Start { get; }

    public long Count { get; }

    /// <summary>Whether it is a weight of which this rank has all, in its own shape.</summary>
    public bool IsWhole => value is null;

    public Tensor Value => value ?? Parameter.Value;

    /// <summary>The gradient in the element type of the value; null without one.</summary>
    public Tensor? Gradient() => gradient is null ? Value.Grad() : gradient()?.To(Value.DType);

    /// <summary>Forgets the gradient.</summary>
    public void ClearGradient()
    {
        if (gradient is null)
        {
            Value.SetGrad(null);
        }
    }
}
