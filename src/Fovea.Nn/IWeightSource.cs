using Fovea.Nn.FourBit;
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

    /// <summary>Whether it holds this weight in 4 bits; <see cref="Read"/> then unpacks it.</summary>
    bool IsFourBit(string name) => false;

    /// <summary>The value of such a weight as it is, in the open scope.</summary>
    StoredFourBit ReadFourBit(string name, long[] shape) => throw new NotSupportedException($"{name} is not in 4 bits");

    /// <summary>The value, belonging to the scope that is open; it may be mapped memory, which must not be written.</summary>
    Tensor Read(string name, long[] shape);
}
