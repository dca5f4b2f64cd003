using Fovea.Files.Safetensors;
using Fovea.Native;

namespace Fovea.Files.Pickle;

/// <summary>What the names in a torch.save pickle stand for: storages, tensors and OrderedDicts, each argument checked.</summary>
internal sealed class TorchObjects(MappedFile file, string folder, IReadOnlyDictionary<string, ZipEntry> members)
{
    public static bool IsKey(object? key) => key is string or long or double or bool;

    public PickleGlobal Global(string module, string name)
    {
        var global = new PickleGlobal(module, name);
        return TorchGlobals.IsKnown(global)
            ? global
            : throw Bad($"it mentions {global.FullName}, which is not among the names that tensors need; refused, "
                + "since loading such a file in Python could run code. Save only the state dict: torch.save(model.state_dict(), path)");
    }

    /// <summary>Lets plain data through to where a user sees it; element types become their names, anything internal is refused.</summary>
    public object? Value(object? value) => value switch
    {
        PickleGlobal global when TorchGlobals.ElementType(global) is not null => global.FullName,
        PickleGlobal global => throw Bad($"the function {global.FullName} stands where data is expected"),
        PickledStorage => throw Bad("a bare storage stands where data is expected"),
        object?[] tuple => CheckTuple(tuple),
        _ => value,
    };

    /// <summary>The storage that <c>('storage', class, key, location, elements)</c> names.</summary>
    public PickledStorage Storage(object? id)
    {
        if (id is not object?[] parts || parts is not ["storage", PickleGlobal type, string key, string, long count] || count < 0)
        {
            throw Bad("a storage is not named as torch.save names it");
        }

        var dtype = TorchGlobals.StorageType(type);
        if (dtype is null && !TorchGlobals.IsUntypedStorage(type))
        {
            throw Bad($"storage class {type.FullName} is not supported");
        }

        var size = dtype?.Size() ?? 1;
        if (!members.TryGetValue($"{folder}data/{key}", out var member))
        {
            throw Bad($"the bytes of storage '{key}' are missing from the file");
        }

        return member.Length / size == count && member.Length % size == 0
            ? new PickledStorage(dtype, member.Offset, member.Length)
            : throw Bad($"storage '{key}' holds {member.Length} bytes where {count} elements of {size} are declared");
    }

    public object? Call(object? function, object? arguments)
    {
        if (function is not PickleGlobal global || arguments is not object?[] tuple)
        {
            throw Bad("it calls something that is not a known function");
        }

        return (global.FullName, tuple) switch
        {
            (TorchGlobals.RebuildTensor, [PickledStorage s, var offset, var shape, var strides]) => Tensor(s, s.DType, offset, shape, strides),
            (TorchGlobals.RebuildTensor2, [PickledStorage s, var offset, var shape, var strides, _, _, ..]) => Tensor(s, s.DType, offset, shape, strides),
            (TorchGlobals.RebuildTensor3, [PickledStorage s, var offset, var shape, var strides, _, _, PickleGlobal type, ..]) =>
                Tensor(s, TorchGlobals.ElementType(type), offset, shape, strides),
            (TorchGlobals.RebuildParameter, [PickledTensor tensor, ..]) => tensor,
            (TorchGlobals.Size, [object?[] extents]) => CheckTuple(extents),
            (TorchGlobals.OrderedDict, []) => new OrderedDictionary<object, object?>(),
            (TorchGlobals.OrderedDict, [List<object?> pairs]) => FromPairs(pairs),
            _ => throw Bad($"{global.FullName} is called with arguments that torch.save does not write"),
        };
    }

    private PickledTensor Tensor(PickledStorage storage, DType? dtype, object? offset, object? shape, object? strides)
    {
        if (dtype is not { } type)
        {
            throw Bad("a tensor on an untyped storage names no supported element type");
        }

        if (offset is not long first || first < 0 || Numbers(shape) is not { } extents || Numbers(strides) is not { } steps || extents.Length != steps.Length)
        {
            throw Bad("a tensor's offset, shape or strides are not what torch.save writes");
        }

        // The last element's index; one below the first when there is none.
        Int128 count = 1, last = first;
        for (var d = 0; d < extents.Length; d++)
        {
            count *= extents[d];
            last += (Int128)(extents[d] - 1) * steps[d];
            if (count > long.MaxValue / type.Size() || last > long.MaxValue)
            {
                throw Bad($"a tensor's shape [{string.Join(", ", extents)}] or strides [{string.Join(", ", steps)}] overflow");
            }
        }

        var room = storage.Bytes / type.Size();
        if (count == 0 ? first > room : last >= room)
        {
            throw Bad($"a tensor of shape [{string.Join(", ", extents)}] with strides [{string.Join(", ", steps)}] at element {first} "
                + $"leaves its storage of {room} elements");
        }

        return new PickledTensor(type, extents, steps, file, storage.Offset + (first * type.Size()), storage.Bytes);
    }

    private OrderedDictionary<object, object?> FromPairs(List<object?> pairs)
    {
        var dict = new OrderedDictionary<object, object?>();
        foreach (var pair in pairs)
        {
            var (key, value) = pair switch
            {
                object?[] { Length: 2 } two => (two[0], two[1]),
                List<object?> { Count: 2 } two => (two[0], two[1]),
                _ => throw Bad("an OrderedDict is not made of pairs"),
            };
            dict[IsKey(key) ? key! : throw Bad("a dict's key is neither text nor a number")] = value;
        }

        return dict;
    }

    private object?[] CheckTuple(object?[] tuple)
    {
        for (var i = 0; i < tuple.Length; i++)
        {
            // Tuples inside were checked when this one's turn came or hold plain data; only what is internal matters here.
            if (tuple[i] is PickleGlobal or PickledStorage)
            {
                tuple[i] = Value(tuple[i]);
            }
        }

        return tuple;
    }

    private static long[]? Numbers(object? value)
    {
        if (value is not object?[] items)
        {
            return null;
        }

        var numbers = new long[items.Length];
        for (var i = 0; i < items.Length; i++)
        {
            if (items[i] is not long number || number < 0)
            {
                return null;
            }

            numbers[i] = number;
        }

        return numbers;
    }

    private CheckpointException Bad(string reason) => FileProblem.In(file.Path, $"its pickle is not a plain torch.save file: {reason}");
}
