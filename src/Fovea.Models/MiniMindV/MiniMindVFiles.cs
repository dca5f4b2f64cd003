using System.Text.Encodings.Web;
using System.Text.Json;
using Fovea.Files.Pickle;
using Fovea.Files.Safetensors;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniMindV;

/// <summary>
/// A MiniMind-V folder: config.json, tokenizer, one file of weights without the encoder (the project's <c>.pth</c> or safetensors), and the encoder's own
/// folder, beside it or elsewhere.
/// </summary>
internal sealed class MiniMindVFiles : IModelFiles
{
    private const string Encoder = "vision_encoder.";

    /// <summary>The weights may be a language model's alone: then the projector begins afresh.</summary>
    /// <param name="weights">A file that replaces the folder's own; null is none.</param>
    public WeightFiles Open(ModelSource source, string? weights = null)
    {
        var config = MiniMindVConfig.Read(source);
        if (weights is not null && config.Generation == MiniMindVGeneration.A)
        {
            throw new ConfigException($"resume_from_checkpoint: {source.Folder} is of generation A, whose scripts write no file to go on from");
        }

        return new WeightFiles(
            [
                (weights ?? config.WeightsFile, OwnName),
                (config.VisionFolder, name => EncoderName(name, config.Vision.IsClip)),
            ],
            name => name.StartsWith("vision_proj.", StringComparison.Ordinal),
            (name, shape) => Fresh(name, shape, config));
    }

    /// <summary>Writes <c>{stage}_{width}[_moe].pth</c>, or model.safetensors where no stage is given, with a config.json that names it.</summary>
    /// <param name="dtype">Null is half precision for the project's file and the weights' own for safetensors.</param>
    public IReadOnlyList<string> Write(VisionLanguageModel model, string sourceFolder, string targetFolder, bool? pretraining, DType? dtype)
    {
        var stage = pretraining switch { null => null, true => "pretrain_vlm", _ => "sft_vlm" };
        var config = ((MiniMindVModel)model).Config;
        Directory.CreateDirectory(targetFolder);
        var learns = stage is null || model.Ledger.Parameters.All(p => p.Trainable || p.Master == DType.F32 || IsEncoder(p));
        using var source = learns ? null : Open(ModelSource.Open(sourceFolder));
        var tensors = Tensors(model, config, dtype ?? (stage is null ? null : DType.F16), source);
        var file = stage is null ? "model.safetensors" : config.FileName(stage);
        var written = new List<string>();
        if (stage is null)
        {
            written.AddRange(ShardedWriter.Write(targetFolder, tensors, ShardedWriter.DefaultShardBytes).Select(path => Path.GetFileName(path)!));
            written.AddRange(CopyEncoder(config.VisionFolder, Path.Combine(targetFolder, Path.GetFileName(config.VisionFolder))));
        }
        else
        {
            PickleWriter.WriteStateDict(Path.Combine(targetFolder, file), tensors);
            written.Add(file);
        }

        written.AddRange(ModelWriter.CopyCompanions(sourceFolder, targetFolder));
        var text = Configuration(sourceFolder, targetFolder, config, stage is null ? Path.GetFileName(config.VisionFolder) : null, stage is null ? null : file);
        AtomicFile.WriteText(Families.ConfigPath(targetFolder), text);
        return [.. written, "config.json"];
    }

    private static string? OwnName(string name) =>
        name.StartsWith(Encoder, StringComparison.Ordinal) || MiniMindVNames.IsTable(name) ? null : MiniMindVNames.Canonical(name);

    /// <summary>The encoder's weights as its own folder names them; text towers, poolers and tables of positions are not used.</summary>
    private static string? EncoderName(string name, bool isClip)
    {
        const string tower = "vision_model.";
        string[] used = isClip ? ["embeddings.", "pre_layrnorm.", "encoder."] : ["embeddings.", "post_layernorm.", "encoder."];

        // Transformers 5 saves an encoder alone without the prefix.
        var at = name.StartsWith(tower, StringComparison.Ordinal) ? name[tower.Length..] : name;
        return used.Any(part => at.StartsWith(part, StringComparison.Ordinal)) && !MiniMindVNames.IsTable(at) ? Encoder + tower + at : null;
    }

    /// <summary>As PyTorch begins: linears uniform within 1/sqrt(inputs), norms one and zero.</summary>
    private static Tensor Fresh(string name, long[] shape, MiniMindVConfig config)
    {
        if (name.StartsWith("vision_proj.mlp.0.", StringComparison.Ordinal))
        {
            return name.EndsWith("bias", StringComparison.Ordinal) ? CreateOps.Zeros(shape) : CreateOps.Ones(shape);
        }

        var inputs = name.StartsWith("vision_proj.mlp.3.", StringComparison.Ordinal) ? config.HiddenSize : config.Vision.HiddenSize;
        var bound = 1 / Math.Sqrt(inputs);
        return CreateOps.Empty(shape).Uniform_(-bound, bound);
    }

    /// <summary>Everything but the encoder, in the project's order and spelling; the head, which is the embedding table, once more.</summary>
    /// <param name="source">Where weights that did not learn come from, which the model may hold in fewer digits; null for the model's own.</param>
    private static List<TensorSource> Tensors(VisionLanguageModel model, MiniMindVConfig config, DType? dtype, WeightFiles? source)
    {
        var tensors = new List<TensorSource>();
        foreach (var parameter in model.Ledger.Parameters.Where(p => !IsEncoder(p)))
        {
            Add(parameter.Name, parameter);
            if (parameter.Name == "model.norm.weight")
            {
                Add("lm_head.weight", model.Head);
            }
        }

        return tensors;

        void Add(string name, Parameter parameter)
        {
            name = config.Generation == MiniMindVGeneration.A ? MiniMindVNames.OfGenerationA(name) : name;
            tensors.Add(source is null || parameter.Trainable || parameter.Master == DType.F32
                ? TensorBytes.Source(name, parameter, dtype)
                : FromFile(name, parameter, dtype!.Value, source));
        }
    }

    private static bool IsEncoder(Parameter parameter) => MiniMindVFamily.Part(parameter.Name) == ModelPart.Vision;

    private static TensorSource FromFile(string name, Parameter parameter, DType dtype, WeightFiles source) => new(name, dtype, parameter.Shape, stream =>
    {
        using var scope = TensorScope.Open("weight");
        TensorBytes.Source(name, source.Read(parameter.Name, parameter.Shape), dtype).WriteTo(stream);
    });

    private static IEnumerable<string> CopyEncoder(string source, string target)
    {
        if (Path.GetFullPath(source) == Path.GetFullPath(target))
        {
            yield break;
        }

        Directory.CreateDirectory(target);
        foreach (var path in Directory.EnumerateFiles(source).Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileName(path);
            AtomicFile.Write(Path.Combine(target, name), stream =>
            {
                using var file = File.OpenRead(path);
                file.CopyTo(stream);
            });
            yield return Path.Combine(Path.GetFileName(target), name);
        }
    }

    private static string Configuration(string source, string target, MiniMindVConfig config, string? vision, string? weights)
    {
        var root = JsonFile.ReadNodes(Families.ConfigPath(source));
        root["vision_model"] = vision ?? Path.GetRelativePath(Path.GetFullPath(target), config.VisionFolder);
        root.Remove("weights");
        if (weights is not null)
        {
            root["weights"] = weights;
        }

        var options = new JsonSerializerOptions { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        return root.ToJsonString(options) + "\n";
    }
}
