namespace Fovea.Tensors;

/// <summary>The three products of a linear layer.</summary>
internal enum ProductForm
{
    /// <summary>x W^T</summary>
    Forward = 0,

    /// <summary>dy W</summary>
    InputGradient = 1,

    /// <summary>dy^T x</summary>
    WeightGradient = 2,
}
