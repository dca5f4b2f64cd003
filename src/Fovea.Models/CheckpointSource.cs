using Fovea.Files.Safetensors;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models;

/// <summary>Weights from the mapped files of a checkpoint. The memory stays mapped as long as a tensor uses it.</summary>
internal sealed class CheckpointSource : IWeightSource
{
    private readonly Dictionary<string, TensorEntry> entries = new(StringComparer.Ordinal);

    /// <param name="checkpoint">The opened files.</param>
    /// <param name="canonical">Turns a name as the file spells it into the ledger's spelling; null to leave a tensor out.</param>
    public CheckpointSource(Checkpoint checkpoint, Func<string, string?>? canonical = null)
    {
        foreach (var (name, entry) in checkpoint.Tensors)
        {
            var known = canonical is null ? name : canonical(name);
            if (known is not null && !entries.TryAdd(known, entry))
            {
                throw new CheckpointException($"{checkpoint.Path}: {name} and {entries[known].Name} are two names of the same weight {known}");
            }
        }
    }

    public IReadOnlyCollection<string> Names => entries.Keys;

    public bool Has(string name) => entries.ContainsKey(name);

    public long[]? ShapeOf(string name) => entries.TryGetValue(name, out var entry) ? entry.Shape : null;

    public Tensor Read(string name, long[] shape)
    {
        var entry = entries[name];
        if (!entry.Shape.AsSpan().SequenceEqual(shape))
        {
            throw new CheckpointException(
                $"{entry.File}: {name}: the model expects [{string.Join(", ", shape)}], the checkpoint has [{string.Join(", ", entry.Shape)}]");
        }

        entry.Memory.AddRef();
        return CreateOps.FromMemory(entry.Address, entry.Shape, entry.DType, entry.Memory.Release);
    }
}
