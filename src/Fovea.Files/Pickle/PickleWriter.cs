using Fovea.Files.Safetensors;

namespace Fovea.Files.Pickle;

/// <summary>Writes what <c>torch.load(path, weights_only=True)</c> reads, through <see cref="AtomicFile"/>, storage by storage.</summary>
internal static class PickleWriter
{
    /// <summary>
    /// Saves one object: null, bool, int, long, float, double, string, <see cref="TensorSource"/> (its name is not stored),
    /// dictionaries, arrays of object (tuples) and other sequences (lists), nested at will.
    /// </summary>
    /// <exception cref="CheckpointException">The file cannot be written, or a source gives another number of bytes than it declared.</exception>
    public static void Write(string path, object root)
    {
        var pickler = new Pickler(path);
        var pickle = pickler.Pickle(root);
        AtomicFile.Write(path, stream => WriteMembers(new ZipWriter(stream), path, pickle, pickler.Tensors));
    }

    /// <summary>Saves a state dict: the tensors under their names, in the order given.</summary>
    public static void WriteStateDict(string path, IReadOnlyList<TensorSource> tensors)
    {
        var dict = new OrderedDictionary<string, object?>(StringComparer.Ordinal);
        foreach (var tensor in tensors)
        {
            if (!dict.TryAdd(tensor.Name, tensor))
            {
                throw FileProblem.InTensor(path, tensor.Name, "is to be written twice under this name");
            }
        }

        Write(path, dict);
    }

    internal static void WriteMembers(ZipWriter zip, string path, byte[] pickle, List<TensorSource> tensors)
    {
        var name = Path.GetFileNameWithoutExtension(path);
        var folder = name.Length > 0 ? name : "archive";
        zip.Add($"{folder}/data.pkl", pickle.Length, stream => stream.Write(pickle));
        zip.Add($"{folder}/byteorder", 6, stream => stream.Write("little"u8));
        for (var i = 0; i < tensors.Count; i++)
        {
            var tensor = tensors[i];
            zip.Add($"{folder}/data/{i}", tensor.Bytes, stream => ExactStream.Fill(stream, path, tensor));
        }

        zip.Add($"{folder}/version", 2, stream => stream.Write("3\n"u8));
        zip.Finish();
    }
}
