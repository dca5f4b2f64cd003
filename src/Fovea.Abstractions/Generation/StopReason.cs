namespace Fovea;

/// <summary>Why a generation ended.</summary>
public enum StopReason
{
    /// <summary>The model generated a stop token.</summary>
    Finished,

    /// <summary>The limit on new tokens, or the model's maximum sequence length, was reached.</summary>
    Length,

    /// <summary>The caller cancelled.</summary>
    Cancelled,
}
