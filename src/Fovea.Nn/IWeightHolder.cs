namespace Fovea.Nn;

/// <summary>
/// Keeps weights that are sharded over ranks, and all-gathers them on request. All ranks must request the same weights in the same order.
/// </summary>
internal interface IWeightHolder
{
    /// <summary>Gathers a weight that no block gathers (the head's), until the result is disposed.</summary>
    IDisposable Open(Parameter parameter);

    /// <summary>Whether all of it is there all the time.</summary>
    bool IsWhole(Parameter parameter);

    /// <summary>The whole value in the element type in which it is trained, until the result is disposed.</summary>
    WholeWeight Whole(Parameter parameter);
}
