namespace Fovea.Hub;

/// <summary>Something on a hub cannot be had; the message says what to do.</summary>
internal sealed class HubException(HubFault fault, string message, Exception? inner = null) : FoveaException(message, inner)
{
    public HubFault Fault { get; } = fault;

    /// <summary>Whether the hub was not asked or gave no answer, so that what the cache holds may stand for it.</summary>
    public bool LeavesCache => Fault is HubFault.Unreachable or HubFault.Offline;
}
