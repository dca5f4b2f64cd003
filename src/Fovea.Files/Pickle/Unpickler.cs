using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;
using Fovea.Files.Safetensors;

namespace Fovea.Files.Pickle;

/// <summary>
/// Carries out the few pickle instructions that state dicts and plain containers need. It builds data and nothing else: no name is
/// looked up and no function called; what is not on the list is refused by name.
/// </summary>
internal ref struct Unpickler(string path, ReadOnlySpan<byte> data, TorchObjects torch)
{
    private const int HighestProtocol = 5;

    private static readonly object Marker = new();

    private readonly ReadOnlySpan<byte> data = data;
    private readonly List<object?> stack = [];
    private readonly Dictionary<uint, object?> memo = [];
    private int position;

    /// <summary>The root object: null, bool, long, double, string, object?[] (tuple), List, OrderedDictionary or <see cref="PickledTensor"/>.</summary>
    public object? Run()
    {
        while (true)
        {
            var at = position;
            var code = Take(1)[0];
            if ((Opcode)code == Opcode.Stop)
            {
                var root = Pop();
                return stack.Count == 0 ? torch.Value(root) : throw Bad("objects are left over at its end");
            }

            if (!Step((Opcode)code))
            {
                throw Bad($"the pickle instruction {OpcodeNames.Of(code)} (0x{code:x2}) at byte {at} is not one that tensors and plain containers need; "
                    + "refused. Save only the state dict: torch.save(model.state_dict(), path)");
            }
        }
    }

    private bool Step(Opcode code)
    {
        switch (code)
        {
            case Opcode.Proto:
                if (Take(1)[0] is var version && version > HighestProtocol)
                {
                    throw Bad($"pickle protocol {version} is unknown");
                }

                break;
            case Opcode.Frame:
                Take(8);
                break;
            case Opcode.Mark:
                stack.Add(Marker);
                break;
            case Opcode.Pop:
                Pop();
                break;
            case Opcode.None:
                stack.Add(null);
                break;
            case Opcode.NewTrue:
                stack.Add(true);
                break;
            case Opcode.NewFalse:
                stack.Add(false);
                break;
            case Opcode.BinInt:
                stack.Add((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4)));
                break;
            case Opcode.BinInt1:
                stack.Add((long)Take(1)[0]);
                break;
            case Opcode.BinInt2:
                stack.Add((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)));
                break;
            case Opcode.Long1:
                stack.Add(ReadLong());
                break;
            case Opcode.BinFloat:
                stack.Add(BinaryPrimitives.ReadDoubleBigEndian(Take(8)));
                break;
            case Opcode.BinUnicode:
                stack.Add(ReadText(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))));
                break;
            case Opcode.ShortBinUnicode:
                stack.Add(ReadText(Take(1)[0]));
                break;
            default:
                return Contain(code);
        }

        return true;
    }

    private bool Contain(Opcode code)
    {
        switch (code)
        {
            case Opcode.EmptyDict:
                stack.Add(new OrderedDictionary<object, object?>());
                break;
            case Opcode.EmptyList:
                stack.Add(new List<object?>());
                break;
            case Opcode.EmptyTuple:
                stack.Add(Array.Empty<object?>());
                break;
            case Opcode.Tuple:
                stack.Add(PopToMark());
                break;
            case Opcode.Tuple1:
                stack.Add(new[] { Pop() });
                break;
            case Opcode.Tuple2:
                stack.Add(PopMany(2));
                break;
            case Opcode.Tuple3:
                stack.Add(PopMany(3));
                break;
            case Opcode.Append:
                Append([Pop()]);
                break;
            case Opcode.Appends:
                Append(PopToMark());
                break;
            case Opcode.SetItem:
                SetItems(PopMany(2));
                break;
            case Opcode.SetItems:
                SetItems(PopToMark());
                break;
            default:
                return Refer(code);
        }

        return true;
    }

    private bool Refer(Opcode code)
    {
        switch (code)
        {
            case Opcode.BinPut:
                memo[Take(1)[0]] = Peek();
                break;
            case Opcode.LongBinPut:
                memo[BinaryPrimitives.ReadUInt32LittleEndian(Take(4))] = Peek();
                break;
            case Opcode.Memoize:
                memo[(uint)memo.Count] = Peek();
                break;
            case Opcode.BinGet:
                stack.Add(Recall(Take(1)[0]));
                break;
            case Opcode.LongBinGet:
                stack.Add(Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))));
                break;
            case Opcode.Global:
                stack.Add(torch.Global(ReadLine(), ReadLine()));
                break;
            case Opcode.StackGlobal:
                var names = PopMany(2);
                stack.Add(names is [string module, string name] ? torch.Global(module, name) : throw Bad("a global's name is not text"));
                break;
            case Opcode.BinPersId:
                stack.Add(torch.Storage(Pop()));
                break;
            case Opcode.Reduce:
                var arguments = Pop();
                stack.Add(torch.Call(Pop(), arguments));
                break;
            case Opcode.Build:
                // Only OrderedDict has a state (a module's version numbers under _metadata), and nothing needs it.
                Pop();
                if (Peek() is not OrderedDictionary<object, object?>)
                {
                    throw Bad("it sets the attributes of something that is not an OrderedDict; refused");
                }

                break;
            default:
                return false;
        }

        return true;
    }

    private readonly void Append(object?[] items)
    {
        var list = Peek() as List<object?> ?? throw Bad("it appends to something that is not a list");
        foreach (var item in items)
        {
            list.Add(torch.Value(item));
        }
    }

    private readonly void SetItems(object?[] items)
    {
        var dict = Peek() as OrderedDictionary<object, object?> ?? throw Bad("it sets an item of something that is not a dict");
        if (items.Length % 2 != 0)
        {
            throw Bad("it sets a dict's key without a value");
        }

        for (var i = 0; i < items.Length; i += 2)
        {
            dict[TorchObjects.IsKey(items[i]) ? items[i]! : throw Bad("a dict's key is neither text nor a number")] = torch.Value(items[i + 1]);
        }
    }

    private readonly object? Recall(uint index) =>
        memo.TryGetValue(index, out var value) ? value : throw Bad($"it recalls object {index}, which it never stored");

    private readonly object? Peek() => stack.Count > 0 && stack[^1] != Marker ? stack[^1] : throw Bad("an instruction finds nothing to work on");

    private readonly object? Pop()
    {
        var top = Peek();
        stack.RemoveAt(stack.Count - 1);
        return top;
    }

    private readonly object?[] PopMany(int count)
    {
        var items = new object?[count];
        for (var i = count - 1; i >= 0; i--)
        {
            items[i] = Pop();
        }

        return items;
    }

    private readonly object?[] PopToMark()
    {
        var mark = stack.LastIndexOf(Marker);
        if (mark < 0)
        {
            throw Bad("an instruction finds no mark");
        }

        var items = stack.GetRange(mark + 1, stack.Count - mark - 1).ToArray();
        stack.RemoveRange(mark, stack.Count - mark);
        return items;
    }

    private long ReadLong()
    {
        var bytes = Take(Take(1)[0]);
        if (bytes.Length > 8)
        {
            throw Bad("it holds a whole number above 64 bits; refused");
        }

        var value = bytes.Length > 0 && (bytes[^1] & 0x80) != 0 ? -1L : 0L;
        for (var i = bytes.Length - 1; i >= 0; i--)
        {
            value = (value << 8) | bytes[i];
        }

        return value;
    }

    private string ReadText(uint length)
    {
        var bytes = Take(length);
        return Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : throw Bad("a text is not valid UTF-8");
    }

    private string ReadLine()
    {
        var end = data[position..].IndexOf((byte)'\n');
        var text = ReadText(end >= 0 ? (uint)end : throw Bad("a global's name has no end"));
        position++;
        return text;
    }

    private ReadOnlySpan<byte> Take(uint count)
    {
        if (count > data.Length - position)
        {
            throw Bad("it ends in the middle of an instruction");
        }

        var piece = data.Slice(position, (int)count);
        position += (int)count;
        return piece;
    }

    private readonly CheckpointException Bad(string reason) => FileProblem.In(path, $"its pickle is not a plain torch.save file: {reason}");
}
