namespace Fovea;

/// <summary>A file of weights is malformed or does not fit the model: names the file, the tensor, what was expected and what was found.</summary>
public sealed class CheckpointException(string message, Exception? inner = null) : FoveaException(message, inner);
