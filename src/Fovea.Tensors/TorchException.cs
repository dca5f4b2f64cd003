namespace Fovea;

/// <summary>libtorch or the bridge refused a call: names the operator and each argument's shape, dtype and device.</summary>
internal sealed class TorchException(string message, Exception? inner = null) : FoveaException(message, inner);
