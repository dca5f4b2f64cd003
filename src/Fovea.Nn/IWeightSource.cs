using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>Where a <see cref="Ledger"/> gets the values of its weights: a checkpoint, random numbers, or nowhere (meta).</summary>
internal interface IWeightSource
{
    /// <summary>Every name it holds, in the ledger's spelling; empty when it makes values up as asked.</summary>
    IReadOnlyCollection<string> Names { get; }

    /// <summary>Whether it can supply this weight.</summary>
    bool Has(string name);

    /// <summary>The shape in which it holds this weight; null where it makes values up as asked.</summary>
    long[]? ShapeOf(string name) => null;

    /// <summary>The value, belonging to the scope that is open; it may be mapped memory, which must not be written.</summary>
    Tensor Read(string name, long[] shape);
}
