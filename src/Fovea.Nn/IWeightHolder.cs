namespace Fovea.Nn;

/// <summary>
/// Keeps weights that are divided over ranks, and brings them together when they are asked for. Every rank must ask for the same in the same order.
/// </summary>
internal interface IWeightHolder
{
    /// <summary>Brings a weight that no block brings (the head's), until the result is disposed.</summary>
    IDisposable Open(Parameter parameter);

    /// <summary>Whether all of it is there all the time.</summary>
    bool IsWhole(Parameter parameter);

    /// <summary>The whole value in the element type in which it learns, until the result is disposed.</summary>
    WholeWeight Whole(Parameter parameter);
}
