using Fovea.Files.Safetensors;
using Fovea.Native;

namespace Fovea.Files.Pickle;

/// <summary>
/// A file of <c>torch.save</c> (a zip of <c>data.pkl</c> and storages, PyTorch 1.6 and later), mapped. Nothing in it is ever run:
/// only tensors, dicts, lists, tuples, text and numbers are read, anything else is refused by name.
/// </summary>
internal sealed class PickleFile : IDisposable
{
    private const long MaxPickleBytes = 1 << 30;
    private const long CopyAllowance = 64 << 20;

    private readonly List<HeapMemory> copies = [];
    private MappedFile? map;
    private long copyRoom;

    private PickleFile(MappedFile map, object? root)
    {
        this.map = map;
        Path = map.Path;
        Root = root;

        // Overlapping or broadcast views could blow a small file up without end; honest files stay far below this.
        copyRoom = (4 * map.Length) + CopyAllowance;
    }

    public string Path { get; }

    /// <summary>
    /// The saved object: null, bool, long, double, string, <c>object?[]</c> (tuple), <c>List&lt;object?&gt;</c>,
    /// <c>OrderedDictionary&lt;object, object?&gt;</c> (keys string, long, double or bool) or <see cref="PickledTensor"/>.
    /// A container may occur in several places.
    /// </summary>
    public object? Root { get; }

    /// <exception cref="CheckpointException">The file is missing, damaged, in PyTorch's old format, or holds more than data.</exception>
    public static PickleFile Open(string path)
    {
        var map = MappedFile.Open(path);
        try
        {
            FileProblem.RefuseImpostors(map);
            RefuseLegacy(map);
            var members = ZipDirectory.Read(map);
            var folder = Folder(map, members);
            RefuseBigEndian(map, members, folder);
            var pickle = members[folder + "data.pkl"];
            if (pickle.Length > MaxPickleBytes)
            {
                throw FileProblem.In(path, $"its pickle of {pickle.Length} bytes is above the limit of {MaxPickleBytes}");
            }

            var bytes = map.Slice(pickle.Offset, pickle.Length);
            if (Crc32.Append(0, bytes) != pickle.Crc)
            {
                throw FileProblem.In(path, "the check sum of its data.pkl is wrong: the file is damaged; copy or download it again");
            }

            return new PickleFile(map, new Unpickler(path, bytes, new TorchObjects(map, folder, members)).Run());
        }
        catch
        {
            map.Release();
            throw;
        }
    }

    /// <summary>
    /// The tensor row by row: in place where the file holds it so, else a copy that lives as long as this reader
    /// (or whoever references its memory).
    /// </summary>
    /// <exception cref="CheckpointException">The copies would take far more memory than the file.</exception>
    public TensorEntry Contiguous(string name, PickledTensor tensor)
    {
        ObjectDisposedException.ThrowIf(map is null, this);
        var bytes = tensor.Bytes;
        if (tensor.IsContiguous)
        {
            return new TensorEntry(name, tensor.DType, tensor.Shape, tensor.Offset, bytes, tensor.Memory, Path);
        }

        copyRoom -= Math.Min(bytes, copyRoom + 1);
        if (copyRoom < 0)
        {
            throw FileProblem.InTensor(Path, name, $"is stored as a view that unfolds to {bytes} bytes, far more than the file holds; "
                + "save it with .contiguous()");
        }

        var copy = HeapMemory.Gather(tensor.Memory, tensor.Offset, tensor.DType.Size(), tensor.Shape, tensor.Strides);
        copies.Add(copy);
        return new TensorEntry(name, tensor.DType, tensor.Shape, 0, bytes, copy, Path);
    }

    /// <summary>Gives map and copies back; tensors made on them keep them alive.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref map, null) is { } open)
        {
            open.Release();
            copies.ForEach(copy => copy.Release());
            copies.Clear();
        }
    }

    private static void RefuseLegacy(MappedFile map)
    {
        var start = map.Slice(0, Math.Min(map.Length, 512));
        if (start.StartsWith("PK"u8))
        {
            return;
        }

        // Before 1.6 torch.save wrote bare pickles, the very old ones tar files.
        var old = start[0] == 0x80 || (start.Length > 262 && start.Slice(257, 5).SequenceEqual("ustar"u8));
        throw FileProblem.In(map.Path, old
            ? "was saved in PyTorch's old format (before 1.6); save it again in Python: torch.save(torch.load(path, weights_only=True), path)"
            : "is not a torch.save file (no zip), or damaged at its start");
    }

    private static string Folder(MappedFile map, Dictionary<string, ZipEntry> members)
    {
        if (members.Keys.Any(name => name.EndsWith("/constants.pkl", StringComparison.Ordinal)))
        {
            throw FileProblem.In(map.Path, "is a TorchScript program, not a state dict; save it with torch.save(module.state_dict(), path)");
        }

        var pickles = members.Keys.Where(name => System.IO.Path.GetFileName(name) == "data.pkl" && name.Count(c => c == '/') <= 1).ToArray();
        return pickles.Length == 1
            ? pickles[0][..^"data.pkl".Length]
            : throw FileProblem.In(map.Path, $"holds {pickles.Length} members named data.pkl where a torch.save file has one");
    }

    private static void RefuseBigEndian(MappedFile map, Dictionary<string, ZipEntry> members, string folder)
    {
        if (members.TryGetValue(folder + "byteorder", out var order) && !map.Slice(order.Offset, Math.Min(order.Length, 16)).SequenceEqual("little"u8))
        {
            throw FileProblem.In(map.Path, "was saved on a big-endian machine; save it again on a little-endian one");
        }
    }
}
