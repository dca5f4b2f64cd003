using Fovea.Files.Pickle;

namespace Fovea.Files.Safetensors;

/// <summary>What a checkpoint is put together from, file by file.</summary>
internal sealed class CheckpointParts : IDisposable
{
    // Keys under which training scripts put the state dict beside other things.
    private static readonly string[] Wrappers = ["state_dict", "model", "module", "model_state_dict"];

    public Dictionary<string, TensorEntry> Tensors { get; } = new(StringComparer.Ordinal);

    public List<IDisposable> Readers { get; } = [];

    public List<string> Files { get; } = [];

    public List<string> Notices { get; } = [];

    public IReadOnlyDictionary<string, string> Metadata { get; private set; } = new Dictionary<string, string>();

    /// <summary>The tensors of one file; which of them the checkpoint takes is the caller's choice.</summary>
    public IReadOnlyList<TensorEntry> Load(string path)
    {
        if (!IsPickle(path))
        {
            var file = SafetensorsFile.Open(path);
            Readers.Add(file);
            Files.Add(path);
            if (Files.Count == 1)
            {
                Metadata = file.Metadata;
            }

            return file.Entries;
        }

        var pickle = PickleFile.Open(path);
        Readers.Add(pickle);
        Files.Add(path);
        return StateDict(pickle);
    }

    public void Dispose()
    {
        foreach (var reader in Readers)
        {
            reader.Dispose();
        }
    }

    private static bool IsPickle(string path)
    {
        var extension = Path.GetExtension(path).ToLowerInvariant();
        if (extension is ".safetensors" || Directory.Exists(path) || !File.Exists(path))
        {
            return false;
        }

        if (extension is ".bin" or ".pth" or ".pt" or ".ckpt")
        {
            return true;
        }

        try
        {
            using var stream = File.OpenRead(path);
            return stream.ReadByte() == 'P' && stream.ReadByte() == 'K';
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw FileProblem.In(path, $"cannot be read: {e.Message}", e);
        }
    }

    private List<TensorEntry> StateDict(PickleFile file)
    {
        var dict = file.Root as OrderedDictionary<object, object?> ?? throw FileProblem.In(file.Path, "holds no state dict but a single object");
        if (!dict.Values.Any(value => value is PickledTensor))
        {
            var wrapper = Wrappers.FirstOrDefault(key => dict.TryGetValue(key, out var inner) && inner is OrderedDictionary<object, object?> held
                && held.Values.Any(value => value is PickledTensor));
            if (wrapper is not null)
            {
                Notices.Add($"{file.Path}: the state dict was found under '{wrapper}'; what lies beside it are no weights of the model");
                dict = (OrderedDictionary<object, object?>)dict[wrapper]!;
            }
            else if (dict.Count > 0)
            {
                throw FileProblem.In(file.Path, $"holds no tensors, neither at the top nor under {string.Join(", ", Wrappers)}; its keys begin with "
                    + string.Join(", ", dict.Keys.Take(5)));
            }
        }

        var entries = new List<TensorEntry>();
        var ignored = new List<string>();
        foreach (var (key, value) in dict)
        {
            if (key is string name && value is PickledTensor tensor)
            {
                entries.Add(file.Contiguous(name, tensor));
            }
            else
            {
                ignored.Add(key.ToString()!);
            }
        }

        if (ignored.Count > 0)
        {
            Notices.Add($"{file.Path}: {ignored.Count} entries that are no tensors are ignored: {string.Join(", ", ignored.Take(5))}");
        }

        return entries;
    }
}
