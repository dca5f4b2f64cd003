using Fovea.Models;
using Fovea.Running;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea;

/// <summary>A Hugging Face model folder on this machine: config.json, weights in safetensors, a tokenizer.</summary>
public sealed class ModelFolder
{
    private readonly ModelSource source;

    internal ModelFolder(ModelSource source) => this.source = source;

    /// <summary>The values of <c>model_type</c> in config.json that Fovea supports.</summary>
    public static IReadOnlyList<string> SupportedTypes { get; } = [.. Families.All.SelectMany(family => family.OtherTypes.Prepend(family.ModelType))];

    /// <summary>The folder.</summary>
    public string Path => source.Folder;

    /// <summary>The family that the model belongs to, for instance <c>qwen2_5_vl</c>.</summary>
    public string ModelType => source.Family.ModelType;

    /// <summary>Opens a folder; reads only its config.json. A model of a hub is fetched first, as far as the cache does not have it.</summary>
    /// <param name="path">Absolute, relative to the current directory, or beginning with <c>~</c>; or a name on the hub, <c>org/name</c>.</param>
    /// <exception cref="ConfigException">There is no config.json, or it names a type that is not supported.</exception>
    public static ModelFolder Open(string path) => new(ModelSource.Open(new HubNames(new HubSection()).Model(UserPath.Expand(path))));

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

        // By its path: the folder may have been written since.
        var merge = new Merge { Model = Path, Adapters = adapters, Target = target, Options = options ?? new() };
        await BlockingWork.Run(() => merge.Run(line => progress?.Report(line))).ConfigureAwait(false);
        return Open(target);
    }
}
