using Fovea.Models.Peft;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea;

/// <summary>A PEFT adapter folder (LoRA): what Fovea, PEFT, LLaMA-Factory and others write.</summary>
public sealed class Adapter
{
    private static HubNames Names => new(new HubSection());

    private Adapter(string path, PeftConfig config)
    {
        Path = path;
        BaseModel = config.BaseModel;
        (Rank, Alpha) = (config.Lora.Rank, config.Lora.Alpha);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>The base model's folder or name as recorded in the adapter; null if none is.</summary>
    public string? BaseModel { get; }

    /// <summary>The adapter's rank; at least 1.</summary>
    public int Rank { get; }

    /// <summary>The adapter's output is scaled by alpha / rank, or by alpha / sqrt(rank) if it is rank-stabilised.</summary>
    public double Alpha { get; }

    /// <summary>Opens a folder; reads only its adapter_config.json.</summary>
    /// <param name="path">Absolute, relative to the current directory, or beginning with <c>~</c>; or a name on the hub, <c>org/name</c>.</param>
    /// <exception cref="ConfigException">There is no adapter, or it uses features that Fovea does not support; all of them are listed.</exception>
    public static Adapter Open(string path)
    {
        path = Names.Adapter(UserPath.Expand(path));
        return PeftAdapter.IsAdapter(path) ? new Adapter(path, PeftConfig.Read(path)) : throw new ConfigException(AdapterFolder.Problem(path));
    }

    /// <summary>Finds the base model's folder, relative to the current directory or to the adapter.</summary>
    /// <exception cref="ConfigException">The adapter names no base model, or it is not on this machine.</exception>
    public ModelFolder FindBase() => ModelFolder.Open(PeftAdapter.ResolveBase(Path, name => Names.Model(name)));

    /// <summary>Merges the adapter into its base model and writes the result as a model folder, on the CPU.</summary>
    /// <param name="target">A folder that does not exist or is empty.</param>
    /// <param name="options">How the result is written.</param>
    /// <param name="progress">Receives one line per stage.</param>
    /// <returns>The folder that was written.</returns>
    /// <exception cref="ConfigException">The base model is missing, or the target is not writable; nothing was written.</exception>
    public Task<ModelFolder> MergeAsync(string target, MergeOptions? options = null, IProgress<string>? progress = null) =>
        FindBase().MergeAsync(target, [Path], options, progress);
}
