using System.Diagnostics.CodeAnalysis;

namespace Fovea.Files.Safetensors;

/// <summary>
/// The tensors of a model or adapter by name, whatever files they lie in: one safetensors file, shards with an index, or files of
/// <c>torch.save</c>. Everything is mapped; nothing is read until touched.
/// </summary>
internal sealed class Checkpoint : IDisposable
{
    private readonly Dictionary<string, TensorEntry> tensors;
    private readonly IReadOnlyList<IDisposable> readers;

    internal Checkpoint(string path, CheckpointParts parts)
    {
        Path = path;
        tensors = parts.Tensors;
        readers = parts.Readers;
        Files = parts.Files;
        Metadata = parts.Metadata;
        Notices = parts.Notices;
    }

    /// <summary>The file or folder as it was given.</summary>
    public string Path { get; }

    /// <summary>The files that hold the tensors.</summary>
    public IReadOnlyList<string> Files { get; }

    public IReadOnlyDictionary<string, TensorEntry> Tensors => tensors;

    /// <summary>The metadata of the safetensors header (of the first shard), empty for other files.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>What was odd but harmless, one sentence each; to be shown to the user.</summary>
    public IReadOnlyList<string> Notices { get; }

    /// <exception cref="CheckpointException">There is no tensor of this name.</exception>
    public TensorEntry this[string name] => tensors.TryGetValue(name, out var entry)
        ? entry
        : throw FileProblem.In(Path, $"there is no tensor '{name}' among its {tensors.Count}");

    /// <summary>
    /// Opens a file of weights, or a folder as Transformers lays it out: <c>model.safetensors</c>, its index, <c>pytorch_model.bin</c>,
    /// its index, in this order; failing these, an adapter.
    /// </summary>
    /// <exception cref="CheckpointException">Nothing is there, or what is there is malformed or incomplete.</exception>
    public static Checkpoint Open(string path) => CheckpointFinder.Open(path, CheckpointFinder.ModelFiles);

    /// <summary>The same for a PEFT adapter: <c>adapter_model.safetensors</c>, else <c>adapter_model.bin</c>.</summary>
    public static Checkpoint OpenAdapter(string path) => CheckpointFinder.Open(path, CheckpointFinder.AdapterFiles);

    public bool TryGet(string name, [NotNullWhen(true)] out TensorEntry? entry) => tensors.TryGetValue(name, out entry);

    /// <summary>Gives the files back; tensors made on them keep them alive.</summary>
    public void Dispose()
    {
        foreach (var reader in readers)
        {
            reader.Dispose();
        }
    }
}
