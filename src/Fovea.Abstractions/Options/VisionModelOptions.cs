namespace Fovea;

/// <summary>How a model is loaded.</summary>
public sealed record VisionModelOptions
{
    /// <summary>Folder of a PEFT adapter on top of the model; null for none. More than one: <see cref="Adapters"/>.</summary>
    public string? Adapter
    {
        get => Adapters.Count > 0 ? Adapters[^1] : null;
        init => Adapters = value is null ? [] : [value];
    }

    /// <summary>Folders of adapters, applied in this order.</summary>
    public IReadOnlyList<string> Adapters { get; init; } = [];

    /// <summary>
    /// Folders of adapters that lie beside the model, by the names that questions ask for them with (<see cref="GenerationOptions.Adapter"/>): one of these
    /// then works instead of the last of <see cref="Adapters"/>. Questions with different adapters are answered together.
    /// </summary>
    public IReadOnlyDictionary<string, string> NamedAdapters { get; init; } = new Dictionary<string, string>();

    /// <summary><c>auto</c> (a GPU where there is one), <c>cpu</c>, <c>cuda</c> or <c>cuda:N</c>.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>
    /// Element type of the computation: <see cref="Precision.Fp32"/>, <see cref="Precision.Bf16"/> or <see cref="Precision.Fp16"/>. Null: bf16 on a GPU;
    /// on the CPU what the checkpoint is stored in, with fp16 computed as fp32.
    /// </summary>
    public Precision? Precision { get; init; }

    /// <summary>Rounds linear layers to 4 bits as they are loaded; null (the default) leaves them, in 4 bits too where the folder has them so.</summary>
    public FourBitRounding? FourBit { get; init; }

    /// <summary>Chat template; null: that of the model's family; <c>chat_template</c>: the one in the model's folder.</summary>
    public string? Template { get; init; }

    /// <summary>System prompt of conversations without one; null: the template's.</summary>
    public string? SystemPrompt { get; init; }

    /// <summary>Whether a model with a reasoning template thinks before it answers; false and null let it begin with an empty thought.</summary>
    public bool? EnableThinking { get; init; } = true;

    /// <summary>Larger images are scaled down to this many pixels; at least 1.</summary>
    public int ImageMaxPixels { get; init; } = 768 * 768;

    /// <summary>Smaller images are scaled up to this many pixels; at least 1.</summary>
    public int ImageMinPixels { get; init; } = 32 * 32;

    /// <summary>Receives sentences about what was loaded and what has no effect; null to ignore them.</summary>
    public Action<string>? Notices { get; init; }
}
