namespace Fovea;

/// <summary>What is trained (<c>finetuning_type</c>).</summary>
public enum FinetuningType
{
    /// <summary>Low-rank adapters beside frozen linear layers.</summary>
    Lora,

    /// <summary>All weights that no <c>freeze_*</c> key freezes.</summary>
    Full,

    /// <summary>The first or last few layers, chosen by <c>freeze_trainable_layers</c>.</summary>
    Freeze,
}
