namespace Fovea;

/// <summary>
/// A file of weights, or another of a run, is malformed, does not fit or cannot be written: names the file, the tensor, what was expected and what was found.
/// </summary>
internal sealed class CheckpointException(string message, Exception? inner = null) : FoveaException(message, inner);
