namespace Fovea.Tensors;

/// <summary>
/// Frees every tensor made while it was open on its thread. Scopes open in few places: step, micro-batch, block, generated token.
/// A value leaves only through <see cref="Release"/>.
/// </summary>
internal sealed class TensorScope : IDisposable
{
    [ThreadStatic]
    private static TensorScope? current;

    private readonly TensorScope? parent;
    private readonly List<Tensor> owned = [];
    private readonly int thread = Environment.CurrentManagedThreadId;
    private readonly string what;
    private bool closed;

    private TensorScope(string what)
    {
        this.what = what;
        parent = current;
        current = this;
    }

    /// <summary>The innermost open scope of this thread.</summary>
    public static TensorScope? Current => current;

    /// <param name="what">What it spans, for error messages: step, micro-batch, block, token.</param>
    public static TensorScope Open(string what) => new(what);

    /// <summary>Hands a tensor to the enclosing scope, or to the caller when there is none.</summary>
    public Tensor Release(Tensor tensor)
    {
        if (tensor.Owner == this)
        {
            tensor.Owner = null;
            parent?.Own(tensor);
        }

        return tensor;
    }

    /// <summary>What it would free now.</summary>
    public IEnumerable<Tensor> Owned => owned.Where(tensor => tensor.Owner == this);

    /// <summary>Hands everything that it still owns to the caller, who disposes it: for what was made ahead of its use.</summary>
    public IReadOnlyList<Tensor> KeepAll()
    {
        var kept = owned.Where(tensor => tensor.Owner == this).ToList();
        kept.ForEach(Disown);
        owned.Clear();
        return kept;
    }

    public void Dispose()
    {
        if (closed)
        {
            return;
        }

        if (Environment.CurrentManagedThreadId != thread)
        {
            throw new InvalidOperationException($"the scope of a {what} was closed on another thread than it was opened on");
        }

        if (current != this)
        {
            throw new InvalidOperationException($"the scope of a {what} was closed while the scope of a {current?.what} inside it is still open");
        }

        closed = true;
        current = parent;
        foreach (var tensor in owned)
        {
            if (tensor.Owner == this)
            {
                tensor.Owner = null;
                tensor.Dispose();
            }
        }

        owned.Clear();
    }

    internal static void Disown(Tensor tensor) => tensor.Owner = null;

    internal void Own(Tensor tensor)
    {
        tensor.Owner = this;
        owned.Add(tensor);
    }
}
