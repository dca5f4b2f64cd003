namespace Fovea.Nn;

/// <summary>How a block takes part in a pass, which decides what may be done with it.</summary>
internal enum BlockKind
{
    /// <summary>One of a stack: what it keeps for backward goes by its <see cref="Block.Mode"/>.</summary>
    Layer,

    /// <summary>It runs once and keeps everything.</summary>
    Single,

    /// <summary>It runs once and keeps everything; rows are only looked up in its weights, so that its backward needs none of them.</summary>
    Lookup,
}
