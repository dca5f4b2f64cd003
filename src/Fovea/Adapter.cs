using Fovea.Models.Peft;

namespace Fovea;

/// <summary>A PEFT adapter folder (LoRA): what Fovea, PEFT, LLaMA-Factory and others write.</summary>
public sealed class Adapter
{
    private Adapter(string path, PeftConfig config)
    {
        Path = path;
        BaseModel = config.BaseModel;
        (Rank, Alpha) = (config.Lora.Rank, config.Lora.Alpha);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>The base model's folder or name as the adapter has it; null where it has none.</summary>
    public string? BaseModel { get; }

    /// <summary>Rank of the adapter; at least 1.</summary>
    public int Rank { get; }

    /// <summary>The adapter's output is scaled by alpha / rank, or by alpha / sqrt(rank) where it is rank-stabilised.</summary>
    public double Alpha { get; }

    /// <summary>Looks at a folder; reads its adapter_config.json alone.</summary>
    /// <param name="path">Absolute, from the process's current folder, or beginning with <c>~</c>.</param>
    /// <exception cref="ConfigException">There is no adapter, or it asks for what Fovea does not have; everything at once, by name.</exception>
    public static Adapter Open(string path)
    {
        path = UserPath.Expand(path);
        return PeftAdapter.IsAdapter(path) ? new Adapter(path, PeftConfig.Read(path)) : throw new ConfigException(AdapterFolder.Problem(path));
    }

    /// <summary>The base model's folder, looked up from the current folder and from the adapter's.</summary>
    /// <exception cref="ConfigException">The adapter names none, or it is not on this machine.</exception>
    public ModelFolder FindBase() => ModelFolder.Open(PeftAdapter.ResolveBase(Path));

    /// <summary>Merges the adapter into its base model and writes the result as a model folder, on the CPU.</summary>
    /// <param name="target">A folder that is not there yet or empty.</param>
    /// <param name="options">How the result is written.</param>
    /// <param name="progress">Receives a line for each stage.</param>
    /// <returns>The folder that was written.</returns>
    /// <exception cref="ConfigException">The base is not here, or the target cannot be written to; nothing was written.</exception>
    public Task<ModelFolder> MergeAsync(string target, MergeOptions? options = null, IProgress<string>? progress = null) =>
        FindBase().MergeAsync(target, [Path], options, progress);
}
