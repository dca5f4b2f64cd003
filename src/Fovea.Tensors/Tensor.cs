using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>
/// A handle on one libtorch tensor. It belongs to the <see cref="TensorScope"/> that is open on the creating thread and is freed with it;
/// created outside every scope it belongs to whoever holds it, who calls <see cref="Dispose"/>. The finalizer frees what was forgotten, and counts it.
/// </summary>
internal sealed class Tensor : IDisposable
{
    private nint handle;
    private long[]? shape;
    private DType dtype;
    private Device device;

    internal Tensor(nint handle)
    {
        this.handle = handle;
        Handles.Opened();
        TensorScope.Current?.Own(this);
    }

    ~Tensor()
    {
        if (handle != 0)
        {
            Handles.Forgotten();
            Bridge.Release(handle);
            Handles.Closed();
        }
    }

    /// <summary>The name of the weight in its checkpoint, for error messages; null for intermediate values.</summary>
    public string? Name { get; set; }

    /// <summary>Sizes, outermost first. Do not write into it.</summary>
    public long[] Shape
    {
        get
        {
            Learn();
            return shape!;
        }
    }

    public int Rank => Shape.Length;

    public DType DType
    {
        get
        {
            Learn();
            return dtype;
        }
    }

    public Device Device
    {
        get
        {
            Learn();
            return device;
        }
    }

    /// <summary>Number of elements.</summary>
    public long Count
    {
        get
        {
            var count = 1L;
            foreach (var size in Shape)
            {
                count *= size;
            }

            return count;
        }
    }

    public bool RequiresGrad
    {
        get => Facts().RequiresGrad != 0;
        set => Door.With(this, handle => Bridge.RequiresGrad(handle, value ? 1 : 0));
    }

    public bool IsContiguous => Facts().Contiguous != 0;

    /// <summary>Identity of the memory behind it: equal for views of the same storage, 0 without memory.</summary>
    public long StorageId => Facts().Storage;

    internal TensorScope? Owner { get; set; }

    /// <summary>For the folder Native only, where whoever takes it keeps the tensor alive until the call is done.</summary>
    internal nint Handle => handle != 0 ? handle : throw new ObjectDisposedException(nameof(Tensor), $"the tensor {Name} was freed with its scope");

    /// <summary>Size of one dimension; negative indices count from the end.</summary>
    public long Size(int dim) => Shape[dim < 0 ? dim + Rank : dim];

    /// <summary>A second handle on the same tensor that belongs to nobody: the caller disposes it.</summary>
    public Tensor Share()
    {
        var alias = new Tensor(TensorMemory.Retained(this)) { Name = Name };
        TensorScope.Disown(alias);
        return alias;
    }

    /// <summary>Takes it out of its scope: from now on the caller disposes it.</summary>
    public Tensor Keep()
    {
        TensorScope.Disown(this);
        return this;
    }

    /// <summary>Frees the handle; the memory goes when the last handle and the last use in a graph are gone.</summary>
    public void Dispose()
    {
        var freed = Interlocked.Exchange(ref handle, 0);
        if (freed != 0)
        {
            Bridge.Release(freed);
            Handles.Closed();
            GC.SuppressFinalize(this);
        }
    }

    public override string ToString() => Describe();

    public string Describe() =>
        handle == 0 ? "freed tensor" : $"{DType.SafetensorsName()} [{string.Join(", ", Shape)}] on {Device}{(Name is null ? "" : $" ({Name})")}";

    internal NativeFacts Facts() => TensorMemory.FactsOf(this);

    private void Learn()
    {
        if (shape is not null)
        {
            return;
        }

        var facts = Facts();
        dtype = (DType)facts.DType;
        device = Device.Unpack(facts.Device);
        shape = SizesOf(facts);
    }

    private static long[] SizesOf(NativeFacts facts)
    {
        var sizes = new long[facts.Dims];
        for (var i = 0; i < sizes.Length; i++)
        {
            sizes[i] = TensorMemory.SizeAt(facts, i);
        }

        return sizes;
    }
}
