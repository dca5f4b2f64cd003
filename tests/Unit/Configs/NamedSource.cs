using Fovea.Nn;

namespace Fovea.Tests.Unit.Configs;

/// <summary>
/// Random weights that depend on their name and shape alone, so that one more layer leaves the others as they are. No weight is without effect.
/// </summary>
internal sealed class NamedSource : IWeightSource
{
    public IReadOnlyCollection<string> Names => [];

    public bool Has(string name) => true;

    public Tensor Read(string name, long[] shape)
    {
        Torch.Seed(name.Aggregate(1469598103934665603UL, (hash, c) => (hash ^ c) * 1099511628211UL));
        var drawn = CreateOps.Empty(shape).Normal_(0, 1);
        return shape.Length == 1 && name.EndsWith("weight", StringComparison.Ordinal) ? drawn.Mul(0.1).Add(1)
            : shape.Length == 1 ? drawn.Mul(0.1)
            : drawn.Mul(1.2 / Math.Sqrt(shape[^1]));
    }
}
