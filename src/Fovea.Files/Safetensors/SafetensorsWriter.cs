using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Fovea.Files.Safetensors;

/// <summary>Writes one safetensors file through <see cref="AtomicFile"/>, tensor by tensor: nothing is gathered in memory.</summary>
internal static class SafetensorsWriter
{
    /// <summary>The metadata that PyTorch's readers ask for.</summary>
    public static IReadOnlyDictionary<string, string> PyTorchMetadata { get; } = new Dictionary<string, string> { ["format"] = "pt" };

    /// <summary>
    /// Writes all tensors. In the file (and in the order of the calls) wide elements come before narrow ones, otherwise the order given,
    /// so that every tensor is aligned to its element; the data begins at a multiple of 8.
    /// </summary>
    /// <exception cref="CheckpointException">
    /// The file cannot be written, two tensors share a name, or a source gives another number of bytes than it declared.
    /// </exception>
    public static void Write(string path, IReadOnlyList<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        using var file = Prepare(path, tensors, metadata);
        file.Commit();
    }

    /// <summary>Writes everything but does not give it its name yet.</summary>
    internal static AtomicFile Prepare(string path, IReadOnlyList<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var ordered = tensors.OrderByDescending(t => t.DType.Size()).ToArray();
        var header = Header(path, ordered, metadata ?? PyTorchMetadata);
        var file = AtomicFile.Create(path, header.Length + ordered.Sum(t => t.Bytes));
        try
        {
            AtomicFile.Guard(path, () =>
            {
                file.Stream.Write(header);
                foreach (var tensor in ordered)
                {
                    ExactStream.Fill(file.Stream, path, tensor);
                }

                return true;
            });
            file.Complete();
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Length and JSON, padded with spaces to a multiple of 8.</summary>
    private static byte[] Header(string path, TensorSource[] tensors, IReadOnlyDictionary<string, string> metadata)
    {
        using var buffer = new MemoryStream();
        buffer.Write(stackalloc byte[8]);
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata)
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            WriteEntries(json, path, tensors);
            json.WriteEndObject();
        }

        while (buffer.Length % 8 != 0)
        {
            buffer.WriteByte((byte)' ');
        }

        if (buffer.Length - 8 > SafetensorsFile.MaxHeaderBytes)
        {
            throw FileProblem.In(path, $"the header of {tensors.Length} tensors would take {buffer.Length} bytes, "
                + $"the format allows {SafetensorsFile.MaxHeaderBytes}");
        }

        var bytes = buffer.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(bytes, bytes.Length - 8);
        return bytes;
    }

    private static void WriteEntries(Utf8JsonWriter json, string path, TensorSource[] tensors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal) { "__metadata__" };
        var offset = 0L;
        foreach (var tensor in tensors)
        {
            if (!names.Add(tensor.Name))
            {
                throw FileProblem.InTensor(path, tensor.Name, "is to be written twice under this name");
            }

            json.WriteStartObject(tensor.Name);
            json.WriteString("dtype", tensor.DType.SafetensorsName());
            json.WriteStartArray("shape");
            foreach (var extent in tensor.Shape)
            {
                json.WriteNumberValue(extent);
            }

            json.WriteEndArray();
            json.WriteStartArray("data_offsets");
            json.WriteNumberValue(offset);
            json.WriteNumberValue(offset += tensor.Bytes);
            json.WriteEndArray();
            json.WriteEndObject();
        }
    }
}
