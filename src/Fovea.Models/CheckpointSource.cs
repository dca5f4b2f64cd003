using Fovea.Files.Safetensors;
using Fovea.Nn;
using Fovea.Nn.FourBit;
using Fovea.Tensors;

namespace Fovea.Models;

/// <summary>Weights from the mapped files of a checkpoint. The memory stays mapped as long as a tensor uses it.</summary>
internal sealed class CheckpointSource : IWeightSource
{
    private readonly Dictionary<string, TensorEntry> entries = new(StringComparer.Ordinal);
    private readonly FourBitEntries fourBit;

    /// <param name="checkpoint">The opened files.</param>
    /// <param name="canonical">Turns a name as the file spells it into the ledger's spelling; null to leave a tensor out.</param>
    public CheckpointSource(Checkpoint checkpoint, Func<string, string?>? canonical = null)
    {
        fourBit = FourBitEntries.In(checkpoint);
        foreach (var (name, entry) in checkpoint.Tensors.Where(tensor => !fourBit.Belongs(tensor.Key)))
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

    public long[]? ShapeOf(string name) => entries.TryGetValue(name, out var entry) ? fourBit.Of(entry)?.Shape ?? entry.Shape : null;

    public bool IsFourBit(string name) => entries.TryGetValue(name, out var entry) && fourBit.Of(entry) is not null;

    public StoredFourBit ReadFourBit(string name, long[] shape)
    {
        var entry = entries[name];
        Check(entry, fourBit.Of(entry)!.Shape, shape);
        return fourBit.Of(entry)!.Read();
    }

    public Tensor Read(string name, long[] shape)
    {
        if (IsFourBit(name))
        {
            return ReadFourBit(name, shape).Unpack();
        }

        var entry = entries[name];
        Check(entry, entry.Shape, shape);
        entry.Memory.AddRef();
        return CreateOps.FromMemory(entry.Address, entry.Shape, entry.DType, entry.Memory.Release);
    }

    private static void Check(TensorEntry entry, long[] held, long[] shape)
    {
        if (!held.AsSpan().SequenceEqual(shape))
        {
            throw new CheckpointException(
                $"{entry.File}: {entry.Name}: the model expects [{string.Join(", ", shape)}], the checkpoint has [{string.Join(", ", held)}]");
        }
    }
}
