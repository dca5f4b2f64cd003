using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Data.Tokenizers;
using Fovea.Files.Safetensors;
using Fovea.Models.Peft;
using Fovea.Models.Vocabularies;
using Fovea.Tensors;

namespace Fovea.Models.Saving;

/// <summary>
/// Writes a model as a Hugging Face folder: safetensors (sharded with an index where one file would be too large) in the order and under the names of
/// the folder that it was loaded from, with that folder's configuration, tokenizer and processor files. Tensors are converted and written one at a time.
/// </summary>
internal static class ModelWriter
{
    private static readonly string[] Companions =
    [
        "generation_config.json", "preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json", "chat_template.json",
        "chat_template.jinja", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "merges.txt", "vocab.txt",
        "special_tokens_map.json", "added_tokens.json",
    ];

    /// <summary>
    /// Writes into a folder that appears whole or not at all. An earlier result of this call is replaced; any other folder that is not empty is refused.
    /// </summary>
    /// <param name="sourceFolder">The folder that the model was loaded from.</param>
    /// <param name="maxShardBytes">Largest file in bytes.</param>
    /// <param name="dtype">Element type of the result; null for each tensor's own in the source.</param>
    /// <param name="force">Write into a folder that holds other files: those of the same names are replaced one by one, the others stay.</param>
    /// <param name="adapters">Adapters that were merged; noted in the result.</param>
    /// <param name="fourBit">Writes linears in 4 bits; null writes all weights as they are.</param>
    /// <param name="progress">Sees the bytes written so far and in all.</param>
    /// <returns>The names of the files written.</returns>
    /// <exception cref="ConfigException">The target is refused, with the reason.</exception>
    /// <exception cref="CheckpointException">The source has no such weight or the disk is full.</exception>
    public static IReadOnlyList<string> Save(
        VisionLanguageModel model,
        ModelFamily family,
        string sourceFolder,
        string targetFolder,
        long maxShardBytes = ShardedWriter.DefaultShardBytes,
        DType? dtype = null,
        bool force = false,
        IReadOnlyList<string>? adapters = null,
        FourBitExport? fourBit = null,
        Action<long, long>? progress = null)
    {
        using var output = ExportFolder.Open(sourceFolder, targetFolder, force);
        var files = WriteInto(model, family, sourceFolder, output.WorkingFolder, maxShardBytes, dtype, fourBit, progress);
        adapters ??= [];
        return output.Commit(files, sourceFolder, adapters, [.. ExportFolder.MergedInto(sourceFolder), .. adapters.Select(AdapterBase.IdentityOf)]);
    }

    /// <summary>The same into a folder as it is, for instance a training run's: each file appears whole or not at all, the configuration last.</summary>
    public static IReadOnlyList<string> WriteInto(
        VisionLanguageModel model,
        ModelFamily family,
        string sourceFolder,
        string targetFolder,
        long maxShardBytes = ShardedWriter.DefaultShardBytes,
        DType? dtype = null,
        FourBitExport? fourBit = null,
        Action<long, long>? progress = null)
    {
        if (family.Files is { } own)
        {
            return own.Write(model, sourceFolder, targetFolder, null, dtype);
        }

        using var source = Checkpoint.Open(sourceFolder);
        var tensors = Tensors(model, family, source, dtype, fourBit);
        Directory.CreateDirectory(targetFolder);
        var written = new List<string>();
        written.AddRange(ShardedWriter.Write(targetFolder, Watched(tensors, progress), maxShardBytes).Select(path => Path.GetFileName(path)!));
        written.AddRange(CopyCompanions(sourceFolder, targetFolder, model.Vocabulary));
        Action<JsonObject>? describe = fourBit is null ? null : root => fourBit.Describe(root, dtype ?? model.Ledger.Options.Compute);
        WriteConfig(sourceFolder, targetFolder, dtype, model.Vocabulary, describe);
        written.Add("config.json");
        return written;
    }

    /// <summary>Copies what belongs to a model besides weights and config.json (tokenizer, processor, chat template), each file whole or not at all.</summary>
    /// <param name="vocabulary">New tokens, which are written into the tokenizer's files; null for none.</param>
    /// <returns>The names of the files copied.</returns>
    public static IReadOnlyList<string> CopyCompanions(string sourceFolder, string targetFolder, Vocabulary? vocabulary = null)
    {
        var names = new List<string>();
        foreach (var path in CompanionsOf(sourceFolder))
        {
            var name = Path.GetFileName(path);
            var bytes = AddedTokenFiles.With(name, File.ReadAllBytes(path), vocabulary?.Added ?? []);
            AtomicFile.Write(Path.Combine(targetFolder, name), stream => stream.Write(bytes));
            names.Add(name);
        }

        return names;
    }

    /// <summary>Copies config.json, with another element type and the rows of new tokens.</summary>
    public static void CopyConfig(string sourceFolder, string targetFolder, DType? dtype, Vocabulary? vocabulary) =>
        WriteConfig(sourceFolder, targetFolder, dtype, vocabulary, describe: null);

    /// <summary>The model's weights as the source file lists them. What it does not hold (a tied head that was saved all the same) is left out.</summary>
    private static List<TensorSource> Tensors(VisionLanguageModel model, ModelFamily family, Checkpoint source, DType? dtype, FourBitExport? fourBit)
    {
        var tensors = new List<TensorSource>();
        var wrapped = WrapperNames.In(source);
        var found = 0;
        var stacked = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (stored, entry) in source.Tensors)
        {
            var name = wrapped.Plain(stored);
            var canonical = family.Names.ToLedger(name);
            if (family.StacksExperts && ExpertPiece.Of(canonical) is { } piece && model.Ledger.Contains(piece.Weight))
            {
                // One by one in the files, together in the model: written as Transformers writes them, where the first of them stood.
                if (stacked.Add(piece.Weight))
                {
                    found++;
                    tensors.Add(TensorBytes.Source(piece.Weight, model.Ledger[piece.Weight], dtype ?? entry.DType));
                }
            }
            else if (fourBit?.Rounds(canonical) == true)
            {
                found++;
                tensors.AddRange(fourBit.Sources(name, model.Ledger[canonical], dtype ?? entry.DType));
            }
            else if (model.Ledger.Contains(canonical))
            {
                found++;
                tensors.Add(TensorBytes.Source(name, model.Ledger[canonical], dtype ?? entry.DType));
            }
            else if (family.LeavesAlone(canonical))
            {
                tensors.Add(TensorSource.FromEntry(entry) with { Name = name });
            }
        }

        return found == model.Ledger.Parameters.Count
            ? tensors
            : throw new CheckpointException($"{source.Path} names {found} of the model's {model.Ledger.Parameters.Count} weights; "
                + "it is not the folder that the model was loaded from");
    }

    private static List<TensorSource> Watched(List<TensorSource> tensors, Action<long, long>? progress)
    {
        if (progress is null)
        {
            return tensors;
        }

        var (done, total) = (0L, tensors.Sum(tensor => tensor.Bytes));
        return tensors.ConvertAll(tensor => tensor with
        {
            WriteTo = stream =>
            {
                tensor.WriteTo(stream);
                done += tensor.Bytes;
                progress(done, total);
            },
        });
    }

    // Models with code of their own need it beside the weights.
    private static IEnumerable<string> CompanionsOf(string folder) => Companions.Select(name => Path.Combine(folder, name)).Where(File.Exists)
        .Concat(Directory.EnumerateFiles(folder, "*.py").Order(StringComparer.Ordinal));

    private static void WriteConfig(string sourceFolder, string targetFolder, DType? dtype, Vocabulary? vocabulary, Action<JsonObject>? describe) =>
        AtomicFile.Write(
            Families.ConfigPath(targetFolder),
            stream => stream.Write(Configuration(Families.ConfigPath(sourceFolder), dtype, vocabulary, describe)));

    private static byte[] Configuration(string path, DType? dtype, Vocabulary? vocabulary, Action<JsonObject>? describe)
    {
        if (dtype is null && vocabulary is null && describe is null)
        {
            return File.ReadAllBytes(path);
        }

        var root = JsonFile.ReadNodes(path);
        root = vocabulary?.Enlarged(root) ?? root;
        if (dtype is { } type && !Rename(root, FourBitExport.TorchName(type)))
        {
            root["torch_dtype"] = FourBitExport.TorchName(type);
        }

        describe?.Invoke(root);

        var options = new JsonSerializerOptions { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        return Encoding.UTF8.GetBytes(root.ToJsonString(options) + "\n");
    }

    /// <summary>Sets every element type that the configuration names, also inside its parts; whether there was one.</summary>
    private static bool Rename(JsonObject node, string name)
    {
        var found = false;
        foreach (var key in node.Select(pair => pair.Key).ToList())
        {
            if (key is "torch_dtype" or "dtype" && node[key] is JsonValue)
            {
                node[key] = name;
                found = true;
            }
            else if (node[key] is JsonObject inner)
            {
                found |= Rename(inner, name);
            }
        }

        return found;
    }
}
