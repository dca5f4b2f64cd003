namespace Fovea.Training.Config;

/// <summary>The optimizer (<c>optim</c>); all names mean AdamW with decoupled weight decay.</summary>
internal enum OptimizerKind
{
    AdamwTorch,
    AdamwTorchFused,
    AdamwHf,
}
