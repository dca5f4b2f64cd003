using Fovea.Models;
using Fovea.Running;

namespace Fovea;

/// <summary>A Hugging Face model folder on this machine: config.json, weights in safetensors, a tokenizer.</summary>
public sealed class ModelFolder
{
    private ModelFolder(string path, string type) => (Path, ModelType) = (path, type);

    /// <summary>The values of <c>model_type</c> in config.json that Fovea supports.</summary>
    public static IReadOnlyList<string> SupportedTypes { get; } = [.. Families.All.SelectMany(family => family.OtherTypes.Prepend(family.ModelType))];

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>The family that the model belongs to, for instance <c>qwen2_5_vl</c>.</summary>
    public string ModelType { get; }

    /// <summary>Opens a folder; reads only its config.json.</summary>
    /// <param name="path">Absolute, relative to the current directory, or beginning with <c>~</c>.</param>
    /// <exception cref="ConfigException">There is no config.json, or it names a type that is not supported.</exception>
    public static ModelFolder Open(string path)
    {
        path = UserPath.Expand(path);
        return new ModelFolder(path, Families.Of(path).ModelType);
    }

    /// <summary>Merges adapters into this model and writes the result as a model folder, on the CPU; without adapters it only rewrites the model.</summary>
    /// <param name="target">A folder that does not exist or is empty.</param>
    /// <param name="adapters">Adapter folders, merged in this order.</param>
    /// <param name="options">How the result is written.</param>
    /// <param name="progress">Receives one line per stage.</param>
    /// <returns>The folder that was written.</returns>
    /// <exception cref="ConfigException">A folder cannot be used; nothing was written.</exception>
    public async Task<ModelFolder> MergeAsync(
        string target, IReadOnlyList<string> adapters, MergeOptions? options = null, IProgress<string>? progress = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(target);
        var merge = new Merge { Model = Path, Adapters = adapters, Target = target, Options = options ?? new() };
        await BlockingWork.Run(() => merge.Run(line => progress?.Report(line))).ConfigureAwait(false);
        return Open(target);
    }
}
