using System.Buffers.Binary;
using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Fovea.Files.Safetensors;

namespace Fovea.Files.Pickle;

/// <summary>Turns plain data and tensors into a pickle (protocol 2) that <c>torch.load(weights_only=True)</c> reads.</summary>
[SuppressMessage("Design", "CA1001", Justification = "What it holds is memory.")]
internal sealed class Pickler(string path)
{
    private const int MaxDepth = 100;

    private readonly MemoryStream output = new();
    private readonly Dictionary<TensorSource, int> storages = new(ReferenceEqualityComparer.Instance);

    /// <summary>The tensors in the order of their storages 0, 1, ...; one that occurs twice has one storage.</summary>
    public List<TensorSource> Tensors { get; } = [];

    public byte[] Pickle(object? root)
    {
        Put(Opcode.Proto);
        output.WriteByte(2);
        Value(root, 0);
        Put(Opcode.Stop);
        return output.ToArray();
    }

    private void Value(object? value, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new ArgumentException($"{path}: containers to be saved are nested more than {MaxDepth} deep");
        }

        switch (value)
        {
            case null:
                Put(Opcode.None);
                break;
            case bool flag:
                Put(flag ? Opcode.NewTrue : Opcode.NewFalse);
                break;
            case int number:
                Integer(number);
                break;
            case long number:
                Integer(number);
                break;
            case float number:
                Float(number);
                break;
            case double number:
                Float(number);
                break;
            case string text:
                Text(text);
                break;
            case TensorSource tensor:
                Tensor(tensor);
                break;
            case IDictionary dict:
                Dict(dict, depth);
                break;
            case object?[] tuple:
                Put(Opcode.Mark);
                Many(tuple, depth);
                Put(Opcode.Tuple);
                break;
            case IEnumerable list:
                Put(Opcode.EmptyList);
                Put(Opcode.Mark);
                Many(list, depth);
                Put(Opcode.Appends);
                break;
            default:
                throw new ArgumentException($"{path}: a {value.GetType().Name} cannot be saved; only tensors, dicts, lists, tuples, text and numbers can");
        }
    }

    private void Dict(IDictionary dict, int depth)
    {
        Put(Opcode.EmptyDict);
        Put(Opcode.Mark);
        foreach (DictionaryEntry item in dict)
        {
            Value(item.Key, depth + 1);
            Value(item.Value, depth + 1);
        }

        Put(Opcode.SetItems);
    }

    private void Many(IEnumerable items, int depth)
    {
        foreach (var item in items)
        {
            Value(item, depth + 1);
        }
    }

    private void Tensor(TensorSource tensor)
    {
        if (!storages.TryGetValue(tensor, out var index))
        {
            index = Tensors.Count;
            storages.Add(tensor, index);
            Tensors.Add(tensor);
        }

        // The 8-bit floats have no storage class of their own: PyTorch saves them untyped, the element type beside.
        var storage = TorchGlobals.StorageName(tensor.DType);
        Global("torch._utils", storage is null ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2");
        Put(Opcode.Mark);
        Put(Opcode.Mark);
        Text("storage");
        Global(storage is null ? "torch.storage" : "torch", storage ?? "UntypedStorage");
        Text(index.ToString(CultureInfo.InvariantCulture));
        Text("cpu");
        Integer(storage is null ? tensor.Bytes : tensor.Count);
        Put(Opcode.Tuple);
        Put(Opcode.BinPersId);
        Integer(0);
        Extents(tensor.Shape);
        Extents(RowMajor(tensor.Shape));
        Put(Opcode.NewFalse);
        Global("collections", "OrderedDict");
        Put(Opcode.EmptyTuple);
        Put(Opcode.Reduce);
        if (storage is null)
        {
            Global("torch", TorchGlobals.ElementName(tensor.DType));
        }

        Put(Opcode.Tuple);
        Put(Opcode.Reduce);
    }

    private static long[] RowMajor(long[] shape)
    {
        var strides = new long[shape.Length];
        var step = 1L;
        for (var d = shape.Length - 1; d >= 0; d--)
        {
            strides[d] = step;
            step *= Math.Max(shape[d], 1);
        }

        return strides;
    }

    private void Extents(long[] extents)
    {
        Put(Opcode.Mark);
        foreach (var extent in extents)
        {
            Integer(extent);
        }

        Put(Opcode.Tuple);
    }

    private void Global(string module, string name)
    {
        Put(Opcode.Global);
        output.Write(Encoding.UTF8.GetBytes($"{module}\n{name}\n"));
    }

    private void Integer(long value)
    {
        Span<byte> bytes = stackalloc byte[8];
        if (value is >= int.MinValue and <= int.MaxValue)
        {
            Put(Opcode.BinInt);
            BinaryPrimitives.WriteInt32LittleEndian(bytes, (int)value);
            output.Write(bytes[..4]);
        }
        else
        {
            Put(Opcode.Long1);
            output.WriteByte(8);
            BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
            output.Write(bytes);
        }
    }

    private void Float(double value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleBigEndian(bytes, value);
        Put(Opcode.BinFloat);
        output.Write(bytes);
    }

    private void Text(string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(length, (uint)utf8.Length);
        Put(Opcode.BinUnicode);
        output.Write(length);
        output.Write(utf8);
    }

    private void Put(Opcode code) => output.WriteByte((byte)code);
}
