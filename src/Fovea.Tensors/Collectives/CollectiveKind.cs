namespace Fovea.Tensors.Collectives;

/// <summary>What ranks do together. The values are those of native/distributed.cpp.</summary>
internal enum CollectiveKind
{
    /// <summary>Every rank gets the sum.</summary>
    AllReduce = 0,

    /// <summary>Every rank gets the parts of all, in rank order.</summary>
    AllGather = 1,

    /// <summary>Every rank gets its part of each.</summary>
    AllToAll = 2,

    /// <summary>Every rank gets what one has.</summary>
    Broadcast = 3,

    /// <summary>Every rank gets the sum of its part.</summary>
    ReduceScatter = 4,
}
