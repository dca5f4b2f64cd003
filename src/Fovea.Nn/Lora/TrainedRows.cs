using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>
/// Single rows of a table that is frozen otherwise, embeddings or output head [V, E], trained in its place: PEFT's <c>trainable_token_indices</c>. Nothing of
/// the table's size is made.
/// </summary>
internal sealed class TrainedRows : IDisposable
{
    /// <summary>What the parameter is called behind the table's module.</summary>
    public const string Name = "token_adapter.trainable_tokens_delta";

    private readonly int[] ids;
    private Tensor? index;
    private Tensor? slots;
    private Tensor? mask;

    private TrainedRows(Parameter table, Parameter rows, IEnumerable<int> ids) => (Table, Rows, this.ids) = (table, rows, [.. ids]);

    public Parameter Table { get; }

    /// <summary>[n, E]: the rows themselves, not what is added to them.</summary>
    public Parameter Rows { get; }

    /// <param name="table">Has none yet.</param>
    /// <param name="ids">Of the rows, in their order.</param>
    /// <param name="saved">[n, E]; null begins with the table's.</param>
    public static TrainedRows Attach(Ledger ledger, Parameter table, IReadOnlyList<int> ids, Tensor? saved, bool trainable)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("weight");
        var (name, options) = ($"{table.Name[..^".weight".Length]}.{Name}", ledger.Options);
        long[] shape = [ids.Count, table.Shape[1]];
        var value = CreateOps.Zeros(shape, options.Master, options.Device).Keep();
        if (options.Device.Type != DeviceType.Meta)
        {
            value.Copy_(saved ?? Of(table.Stored(), ids));
        }

        (value.Name, value.RequiresGrad) = (name, trainable);
        var rows = new TrainedRows(table, new Parameter(name, shape, value, trainable, options.Compute) { IsAdapter = true }, ids);
        ledger.Attach(rows);
        return rows;
    }

    /// <summary>Puts rows of the table that learn as well behind these, in place of this.</summary>
    /// <param name="more">Ids of none of these.</param>
    /// <returns>The ids of all, in their order.</returns>
    public IReadOnlyList<int> Extend(Ledger ledger, IReadOnlyList<int> more)
    {
        if (more.Count == 0)
        {
            return ids;
        }

        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("weight");
        var own = Rows.Value.Detach();
        var saved = own.Device.Type == DeviceType.Meta ? null : ShapeOps.Cat([own, Of(Table.Stored(), more).To(own.DType).To(own.Device)]);
        ledger.Detach(this);
        var extended = Attach(ledger, Table, [.. ids, .. more], saved, Rows.Trainable);
        Dispose();
        return extended.ids;
    }

    /// <summary>The table with the rows in it.</summary>
    public Tensor Into(Tensor table) =>
        table.IndexCopy(0, On(table.Device, ids), Rows.Value.Detach().To(table.Device).To(table.DType));

    /// <summary>Embeddings of ids [T].</summary>
    internal Tensor Lookup(Tensor ids_T)
    {
        var (slot, isHere) = ids_T.Device.Type == DeviceType.Meta
            ? (CreateOps.Empty(Table.Shape[..1], DType.I64, Device.Meta), CreateOps.Empty(Table.Shape[..1], Rows.Compute, Device.Meta))
            : Slots(ids_T.Device);
        var own = Rows.Use().Embedding(slot.IndexSelect(0, ids_T));

        // By 1 and 0: exact, and known on the meta device, where passes are measured.
        var here_T1 = isHere.IndexSelect(0, ids_T).Unsqueeze(1);
        return Table.Use().Embedding(ids_T).Mul(here_T1.Neg().Add(1)).Add(own.Mul(here_T1));
    }

    /// <summary>The logits of a table without the rows, with them.</summary>
    internal Tensor Correct(Tensor logits, Tensor hidden) => logits.IndexCopy(1, Index(logits.Device), hidden.Linear(Rows.Use()));

    /// <summary>Their columns of logits' gradients [L, n], and the rest with zeros there.</summary>
    internal (Tensor Own, Tensor Others) Split(Tensor gradients)
    {
        var at = Index(gradients.Device);
        var own = gradients.IndexSelect(1, at);
        return (own, gradients.IndexCopy(1, at, CreateOps.Zeros(own.Shape, own.DType, own.Device)));
    }

    public void Dispose()
    {
        Forget();
        Rows.Value.Dispose();
    }

    /// <summary>Frees what was made of the ids.</summary>
    internal void Forget()
    {
        index?.Dispose();
        slots?.Dispose();
        mask?.Dispose();
        (index, slots, mask) = (null, null, null);
    }

    private static Tensor Of(Tensor table, IReadOnlyList<int> ids) => table.IndexSelect(0, On(table.Device, ids));

    private static Tensor On(Device device, IReadOnlyList<int> ids) => CreateOps.On(device, [.. ids.Select(id => (long)id)]);

    private Tensor Index(Device device) => index ??= On(device, ids).Keep();

    private (Tensor Slot, Tensor IsHere) Slots(Device device)
    {
        if (slots is null)
        {
            using var scope = TensorScope.Open("weight");
            var (slot, here) = (new long[Table.Shape[0]], new float[Table.Shape[0]]);
            for (var i = 0; i < ids.Length; i++)
            {
                (slot[ids[i]], here[ids[i]]) = (i, 1);
            }

            (slots, mask) = (CreateOps.On(device, slot).Keep(), CreateOps.On(device, here).To(Rows.Compute).Keep());
        }

        return (slots, mask!);
    }
}
