namespace Fovea.Training.Config;

/// <summary>Whose form of quantised weights.</summary>
internal enum QuantizationMethod
{
    /// <summary>bitsandbytes'.</summary>
    Bnb,
}
