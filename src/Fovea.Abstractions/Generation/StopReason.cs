namespace Fovea;

/// <summary>Why a generation ended.</summary>
public enum StopReason
{
    /// <summary>The model generated a stop token or a stop string, or the text is complete by its constraint.</summary>
    Finished,

    /// <summary>The limit on new tokens, or the model's maximum sequence length, was reached.</summary>
    Length,

    /// <summary>The caller cancelled.</summary>
    Cancelled,
}
