namespace Fovea.Hub;

/// <summary>What stood between us and a file of a hub.</summary>
internal enum HubFault
{
    /// <summary>Anything else that a server said.</summary>
    Refused,

    /// <summary>There is no such repository, or it is private.</summary>
    NoRepository,

    /// <summary>The repository has no such branch, tag or commit.</summary>
    NoRevision,

    /// <summary>The commit has no such file.</summary>
    NoFile,

    /// <summary>Its conditions have to be accepted first.</summary>
    Gated,

    /// <summary>The token is not accepted, or does not allow it.</summary>
    Token,

    /// <summary>No connection, or none that lasted.</summary>
    Unreachable,

    /// <summary>Going to the network is switched off.</summary>
    Offline,

    /// <summary>What came is not what was promised.</summary>
    Damaged,

    /// <summary>The disk has no room.</summary>
    NoRoom,
}
