namespace Fovea;

/// <summary>Which parts of the model are frozen. A setting that is null keeps the configuration's value or the default.</summary>
public sealed class FreezeSettings
{
    /// <summary>The vision tower; default true.</summary>
    [Key("freeze_vision_tower")]
    public bool? VisionTower { get; set; }

    /// <summary>The projector between vision tower and language model; default true.</summary>
    [Key("freeze_multi_modal_projector")]
    public bool? Projector { get; set; }

    /// <summary>The language model; default false.</summary>
    [Key("freeze_language_model")]
    public bool? LanguageModel { get; set; }

    /// <summary>With <see cref="FinetuningType.Freeze"/>: how many of the last layers are trained, or of the first if negative; default 2.</summary>
    [Key("freeze_trainable_layers")]
    public int? TrainableLayers { get; set; }

    /// <summary>With <see cref="FinetuningType.Freeze"/>: which modules of these layers are trained; default <c>all</c>.</summary>
    [Key("freeze_trainable_modules")]
    public IReadOnlyList<string>? TrainableModules { get; set; }
}
