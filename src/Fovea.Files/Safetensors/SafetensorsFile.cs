using System.Buffers.Binary;
using Fovea.Native;

namespace Fovea.Files.Safetensors;

/// <summary>
/// A safetensors file, mapped: 8 bytes header length (little-endian), that many bytes of JSON, then the data, which the tensors cover
/// exactly. (Format: the README of github.com/huggingface/safetensors.)
/// </summary>
internal sealed class SafetensorsFile : IDisposable
{
    /// <summary>The format's own limit.</summary>
    public const long MaxHeaderBytes = 100_000_000;

    private MappedFile? map;

    private SafetensorsFile(MappedFile map, IReadOnlyList<TensorEntry> entries, IReadOnlyDictionary<string, string> metadata)
    {
        this.map = map;
        Path = map.Path;
        Entries = entries;
        Metadata = metadata;
    }

    public string Path { get; }

    /// <summary>The tensors in the header's order; names are unique.</summary>
    public IReadOnlyList<TensorEntry> Entries { get; }

    /// <summary>The header's <c>__metadata__</c>, for instance <c>format: pt</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <exception cref="CheckpointException">The file is missing or malformed; the message says where and why.</exception>
    public static SafetensorsFile Open(string path)
    {
        var map = MappedFile.Open(path);
        try
        {
            FileProblem.RefuseImpostors(map);
            var start = HeaderEnd(map);
            var header = SafetensorsHeader.Parse(path, map.Slice(8, start - 8));
            var entries = Place(map, start, header.Tensors);
            return new SafetensorsFile(map, entries, header.Metadata);
        }
        catch
        {
            map.Release();
            throw;
        }
    }

    /// <summary>Gives the map back; tensors made on it keep it alive.</summary>
    public void Dispose() => Interlocked.Exchange(ref map, null)?.Release();

    private static long HeaderEnd(MappedFile map)
    {
        if (map.Length < 8)
        {
            throw FileProblem.In(map.Path, $"has {map.Length} bytes, a safetensors file has at least 8; copy or download it again");
        }

        var length = BinaryPrimitives.ReadUInt64LittleEndian(map.Slice(0, 8));
        if (length > (ulong)MaxHeaderBytes)
        {
            throw FileProblem.In(map.Path, $"the header length {length} is above the format's limit of {MaxHeaderBytes}: not a safetensors file, or damaged");
        }

        if (length > (ulong)(map.Length - 8))
        {
            throw FileProblem.In(map.Path, $"the header length {length} reaches beyond the file of {map.Length} bytes: truncated, or not a safetensors file");
        }

        return 8 + (long)length;
    }

    /// <summary>Checks that the tensors lie side by side and cover the data from its first byte to its last.</summary>
    private static TensorEntry[] Place(MappedFile map, long start, IReadOnlyList<HeaderTensor> tensors)
    {
        var room = map.Length - start;
        foreach (var tensor in tensors)
        {
            if (tensor.End > room)
            {
                throw FileProblem.InTensor(map.Path, tensor.Name, $"data_offsets [{tensor.Begin}, {tensor.End}] reach beyond the {room} bytes of data: "
                    + "the file is truncated; copy or download it again");
            }
        }

        var byPlace = tensors.OrderBy(t => t.Begin).ThenBy(t => t.End).ToArray();
        var covered = 0L;
        var previous = string.Empty;
        foreach (var tensor in byPlace)
        {
            if (tensor.Begin < covered)
            {
                throw FileProblem.InTensor(map.Path, tensor.Name, $"its bytes [{tensor.Begin}, {tensor.End}] overlap "
                    + $"those of '{previous}', which end at {covered}");
            }

            if (tensor.Begin > covered)
            {
                throw FileProblem.InTensor(map.Path, tensor.Name, $"there is a hole of {tensor.Begin - covered} bytes before it, "
                    + $"at byte {covered} of the data");
            }

            covered = tensor.End;
            previous = tensor.Name;
        }

        if (covered != room)
        {
            throw FileProblem.In(map.Path, $"{room - covered} bytes follow the last tensor; the tensors must cover the data exactly");
        }

        return tensors.Select(t => new TensorEntry(t.Name, t.DType, t.Shape, start + t.Begin, t.End - t.Begin, map, map.Path)).ToArray();
    }
}
