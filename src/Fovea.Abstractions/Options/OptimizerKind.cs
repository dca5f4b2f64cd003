namespace Fovea;

/// <summary>How weights are updated from their gradients (<c>optim</c>).</summary>
public enum OptimizerKind
{
    /// <summary>AdamW (arXiv 1711.05101).</summary>
    AdamwTorch,

    /// <summary>The same.</summary>
    AdamwTorchFused,

    /// <summary>The same.</summary>
    AdamwHf,

    /// <summary>Stochastic gradient descent; <c>optim_args</c> may give <c>momentum</c>, <c>dampening</c> and <c>nesterov</c>.</summary>
    Sgd,

    /// <summary>Adafactor (arXiv 1804.04235): of a matrix's squared gradients it keeps the means of rows and columns alone.</summary>
    Adafactor,

    /// <summary>Lion (arXiv 2302.06675): one moment, whose sign is the direction.</summary>
    Lion,

    /// <summary>Muon (arXiv 2502.16982): orthogonal updates of matrices, AdamW for the rest.</summary>
    Muon,

    /// <summary>AdamW whose moments are bytes with a scale for every 256 (arXiv 2110.02861), as in bitsandbytes.</summary>
    Adamw8bit,
}
