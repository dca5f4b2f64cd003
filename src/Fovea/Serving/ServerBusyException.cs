namespace Fovea;

/// <summary>A <see cref="ModelServer"/> takes no request now.</summary>
public sealed class ServerBusyException : FoveaException
{
    internal ServerBusyException(string message, bool isClosing)
        : base(message) => IsClosing = isClosing;

    /// <summary>Whether it takes none any more; otherwise its queue is full, and trying again later helps.</summary>
    public bool IsClosing { get; }
}
