using Fovea.Files.Safetensors;

namespace Fovea.Models;

/// <summary>
/// What a checkpoint has in bitsandbytes' 4 bits: for a weight <c>X</c> its bytes under this name, and beside it <c>X.absmax</c>, <c>X.quant_map</c>,
/// <c>X.quant_state.bitsandbytes__nf4</c> (or <c>__fp4</c>) and, with double quantisation, <c>X.nested_absmax</c> and <c>X.nested_quant_map</c>. Which weights
/// these are is known from these names alone.
/// </summary>
internal sealed class FourBitEntries
{
    private const int MostShown = 8;
    private static readonly string[] Parts = [".nested_absmax", ".nested_quant_map", ".absmax", ".quant_map"]; // of two endings the longer one first
    private readonly Dictionary<string, FourBitEntry> byName = new(StringComparer.Ordinal);
    private readonly HashSet<string> parts = new(StringComparer.Ordinal);
    private readonly List<string> problems = [];
    private readonly Checkpoint checkpoint;

    private FourBitEntries(Checkpoint checkpoint)
    {
        this.checkpoint = checkpoint;
        var described = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in checkpoint.Tensors.Keys)
        {
            if (name.IndexOf($".{FourBitState.KeyStart}", StringComparison.Ordinal) is var at and > 0)
            {
                parts.Add(name);
                described.Add(name[..at]);
                if (Make(name[..at], checkpoint[name]) is { } made && !byName.TryAdd(name[..at], made))
                {
                    problems.Add($"{checkpoint[name].File}: {name}: {name[..at]} has two of them");
                }
            }
            else if (name.EndsWith(".SCB", StringComparison.Ordinal))
            {
                problems.Add($"{checkpoint[name].File}: {name}: weights in 8 bits (LLM.int8) are not read; take the model in 16 bits, or in 4");
            }
        }

        foreach (var name in checkpoint.Tensors.Keys)
        {
            if (Array.Find(Parts, part => name.EndsWith(part, StringComparison.Ordinal)) is { } part && checkpoint.Tensors.ContainsKey(name[..^part.Length]))
            {
                parts.Add(name);
                if (!described.Contains(name[..^part.Length]))
                {
                    problems.Add($"{checkpoint[name].File}: {name[..^part.Length]}.{FourBitState.KeyStart}nf4 is missing beside {name}");
                }
            }
        }
    }

    /// <summary>How many there are.</summary>
    public int Count => byName.Count;

    /// <summary>Names of the weights as the files spell them.</summary>
    public IEnumerable<string> Names => byName.Keys;

    /// <exception cref="CheckpointException">One of them is incomplete or contradicts itself; all problems at once.</exception>
    public static FourBitEntries In(Checkpoint checkpoint)
    {
        var entries = new FourBitEntries(checkpoint);
        return entries.problems.Count == 0 ? entries : throw new CheckpointException(string.Join('\n', entries.problems.Take(MostShown))
            + (entries.problems.Count > MostShown ? $"\n... and {entries.problems.Count - MostShown} more" : string.Empty)
            + "\nThe weights in 4 bits are damaged or incomplete; copy or download the model again");
    }

    /// <summary>Whether a tensor is no weight but says how another is to be read.</summary>
    public bool Belongs(string name) => parts.Contains(name);

    /// <summary>The matrix that these bytes are; null for any other tensor.</summary>
    public FourBitEntry? Of(TensorEntry entry) => byName.GetValueOrDefault(entry.Name);

    private FourBitEntry? Make(string name, TensorEntry described)
    {
        FourBitState state;
        try
        {
            state = FourBitState.Read(described.Span);
        }
        catch (FormatException e)
        {
            problems.Add($"{described.File}: {described.Name}: {e.Message}");
            return null;
        }

        if (!described.Name.EndsWith($".{FourBitState.KeyStart}{state.Type}", StringComparison.Ordinal))
        {
            problems.Add($"{described.File}: {described.Name}: its quant_type is {state.Type}");
        }

        var nested = state.NestedMean is not null;
        var before = problems.Count;
        var scales = Part(name, described, ".absmax", nested ? DType.U8 : DType.F32, state.Scales);
        var code = Part(name, described, ".quant_map", DType.F32, 16);
        var own = nested ? Part(name, described, ".nested_absmax", DType.F32, state.NestedScales) : null;
        var map = nested ? Part(name, described, ".nested_quant_map", DType.F32, 256) : null;
        if (!checkpoint.TryGet(name, out var bytes))
        {
            problems.Add($"{described.File}: {described.Name}: there is no tensor '{name}' that it describes");
        }
        else if (bytes.Bytes != (state.Count + 1) / 2)
        {
            problems.Add($"{bytes.File}: {name}: {(state.Count + 1) / 2} bytes expected for [{string.Join(", ", state.Shape)}] in 4 bits, "
                + $"not the {bytes.Bytes} of {bytes.Describe()}");
        }

        foreach (var table in (ReadOnlySpan<TensorEntry?>)[code, map])
        {
            if (table is not null && FourBitEntry.Floats(table).Any(value => !float.IsFinite(value)))
            {
                problems.Add($"{table.File}: {table.Name}: a number in it is not finite");
            }
        }

        return problems.Count == before ? new FourBitEntry(bytes!, scales!, own, code!, map, state) : null;
    }

    private TensorEntry? Part(string name, TensorEntry described, string suffix, DType type, long count)
    {
        if (!checkpoint.TryGet(name + suffix, out var entry))
        {
            problems.Add($"{described.File}: {name}{suffix} is missing, which {described.Name} needs");
            return null;
        }

        parts.Add(name + suffix);
        if (entry.DType == type && entry.Bytes == count * type.Size() && entry.Shape.Length == 1)
        {
            return entry;
        }

        problems.Add($"{entry.File}: {entry.Name}: {type.SafetensorsName()}[{count}] expected, not {entry.Describe()}");
        return null;
    }
}
