namespace Fovea;

/// <summary>A failure that the user can act on; the command line prints its message without a stack trace.</summary>
public abstract class FoveaException(string message, Exception? inner = null) : Exception(message, inner);
