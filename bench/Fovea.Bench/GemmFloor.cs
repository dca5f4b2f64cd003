using Fovea.Nn;
using Fovea.Tensors;
using Fovea.Testing;

namespace Fovea.Bench;

/// <summary>
/// The time that the matrix products of one mid step need by themselves: every frozen linear forward and, where gradients flow, back to its input,
/// at their true shapes and with the model's own weights; the head at the trained rows; attention as batched
/// products of half the square (what causality leaves).
/// Make one for each measurement and dispose it, so that its memory is none of the step's.
/// </summary>
internal sealed class GemmFloor : IDisposable
{
    private const int HeadSize = 64;

    private static readonly Operator MmOut = new("aten::mm", "out");
    private static readonly Operator BmmOut = new("aten::bmm", "out");

    private readonly List<(Tensor A, Tensor B, Tensor Into)> products = [];
    private readonly List<Tensor> inputs = [];
    private readonly List<Tensor> outputs = [];
    private readonly DType dtype;
    private readonly bool vision;

    /// <param name="vision">Whether the vision side runs.</param>
    public GemmFloor(MidJob job, DType dtype, bool vision)
    {
        this.dtype = dtype;
        this.vision = vision;
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("floor");
        var batch = job.Batch;
        var last = $"model.layers.{job.Model.Layers - 1}.";
        foreach (var linear in job.Model.Ledger.Linears)
        {
            // The last block works on the trained rows alone, but for its queries, keys and values.
            var rows = linear.Path.StartsWith(last, StringComparison.Ordinal) && linear.Bias is null ? batch.LossIndex.Length : batch.Tokens;
            AddLinear(linear, rows, batch.Patches);
        }

        if (vision)
        {
            var embed = job.Model.Ledger["visual.patch_embed.proj.weight"].Value;
            AddForward(embed.View(embed.Size(0), -1), batch.Patches);
            AddAttention(heads: MidJob.Samples * 8, tokens: 576, layers: 2, backward: false);
            AddAttention(heads: batch.Patches / 64 * 8, tokens: 64, layers: 6, backward: false);
        }

        var head = job.Model.Head.Value;
        AddForward(head, batch.LossIndex.Length);
        AddBackward(head, batch.LossIndex.Length);
        AddAttention(heads: MidJob.Samples * 16 / 2, tokens: MidModel.SampleTokens, layers: 12, backward: true);
    }

    /// <summary>Floating-point operations of one pass: two for each multiply-add.</summary>
    public double Operations { get; private set; }

    public int Products => products.Count;

    /// <summary>All products once.</summary>
    public void Run()
    {
        using var grad = Autograd.NoGrad();
        foreach (var (a, b, into) in products)
        {
            (a.Shape.Length == 3 ? BmmOut : MmOut).Run(a, b, into);
        }
    }

    public void Dispose()
    {
        foreach (var (a, b, _) in products)
        {
            a.Dispose();
            b.Dispose();
        }

        foreach (var tensor in inputs.Concat(outputs))
        {
            tensor.Dispose();
        }
    }

    private void AddLinear(Linear linear, long tokens, long patches)
    {
        var weight = linear.Weight.Value;
        if (!linear.Path.StartsWith("visual.", StringComparison.Ordinal))
        {
            AddForward(weight, tokens);

            // Nothing below the first block learns, so its first products have no gradient to pass on.
            if (!(linear.Path.Contains(".layers.0.", StringComparison.Ordinal) && linear.Bias is not null))
            {
                AddBackward(weight, tokens);
            }
        }
        else if (vision)
        {
            AddForward(weight, linear.Path.Contains("merger", StringComparison.Ordinal) ? patches / 4 : patches);
        }
    }

    private void AddForward(Tensor weight, long rows) => Add(Memory(inputs, rows, weight.Size(1)), weight.Detach().Transpose(0, 1));

    private void AddBackward(Tensor weight, long rows) => Add(Memory(inputs, rows, weight.Size(0)), weight.Detach());

    /// <summary>q k^T and p v; backward dp = do v^T, dv = p^T do, dq = ds k, dk = ds^T q.</summary>
    private void AddAttention(long heads, long tokens, int layers, bool backward)
    {
        var wide = Memory(inputs, heads, tokens, HeadSize);
        var square = Memory(inputs, heads, tokens, tokens);
        for (var layer = 0; layer < layers; layer++)
        {
            Add(wide, wide.Transpose(1, 2));
            Add(square, wide.Detach());
            if (backward)
            {
                Add(wide, wide.Transpose(1, 2));
                Add(square.Transpose(1, 2).Keep(), wide.Detach());
                Add(square, wide.Detach());
                Add(square.Transpose(1, 2).Keep(), wide.Detach());
            }
        }
    }

    private void Add(Tensor a, Tensor b)
    {
        long[] shape = a.Shape.Length == 3 ? [a.Size(0), a.Size(1), b.Size(2)] : [a.Size(0), b.Size(1)];
        products.Add((a, b.Keep(), Memory(outputs, shape)));
        Operations += 2.0 * a.Size(-1) * CountOf(shape);
    }

    /// <summary>Products of one shape share their memory, which is written here so that no page is missing later.</summary>
    private Tensor Memory(List<Tensor> known, params long[] shape)
    {
        var tensor = known.Find(t => t.Shape.AsSpan().SequenceEqual(shape));
        if (tensor is null)
        {
            known.Add(tensor = CreateOps.Full(shape, 0.01, dtype).Keep());
        }

        return tensor;
    }

    private static double CountOf(long[] shape)
    {
        var count = 1.0;
        foreach (var size in shape)
        {
            count *= size;
        }

        return count;
    }
}
