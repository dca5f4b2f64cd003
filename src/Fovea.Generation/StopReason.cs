namespace Fovea.Generation;

/// <summary>Why a generation ended.</summary>
internal enum StopReason
{
    /// <summary>The model gave a stop token.</summary>
    Finished,

    /// <summary>The limit of new tokens, or the model's longest sequence, was reached.</summary>
    Length,

    /// <summary>The caller cancelled.</summary>
    Cancelled,
}
