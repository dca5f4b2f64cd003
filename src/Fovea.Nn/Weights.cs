using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>A path into the checkpoint, for instance <c>w / "layers" / 3 / "q_proj"</c>. Building a layer on it loads its weights.</summary>
public readonly record struct Weights(Ledger Ledger, string Path)
{
    public static Weights operator /(Weights parent, string child) =>
        parent with { Path = parent.Path.Length == 0 ? child : $"{parent.Path}.{child}" };

    public static Weights operator /(Weights parent, int index) => parent / index.ToString();

    /// <summary>The weight of this name below the path.</summary>
    public Parameter Take(string name, params long[] shape) => Ledger.Take((this / name).Path, shape);
}
