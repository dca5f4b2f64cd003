using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// The loss at trained positions only. Neither [L, V] logits nor their gradients are ever held: on the CPU, where hidden states are narrow and the head is
/// frozen, logits do not leave its caches; elsewhere they exist one chunk [chunk, V] at a time, and their gradient replaces them at once.
/// </summary>
internal static class LinearCrossEntropy
{
    // On the CPU a chunk should stay near the caches. On a GPU each chunk reads the whole head twice, and products of fewer than some 2,000 rows do not hide
    // that: as many as 152,064 classes in bf16 fill with 2,206 rows.
    private const long ChunkBytes = 64L << 20;
    private const long ChunkBytesOnDevice = 640L << 20;

    // Sums that stretches of the head leave for fewer rows than that, with the packed rows.
    private const long SumsBytes = 18L << 20;

    // Measured with AVX-512 ('fovea bench head'): 1.1 to 1.6 times as fast as with logits at 64, 1.0 to 1.3 at 384, 0.85 at 1024. bf16 products with AMX are
    // faster than ours.
    private const long WidestInCaches = 384;

    /// <summary>Weighted sum of token losses, and the loss of each token.</summary>
    /// <param name="hidden_LE">Final hidden states of the positions that predict a trained token.</param>
    /// <param name="head">[V, E]; its gradient is accumulated if it is trainable.</param>
    /// <param name="targets_L">64-bit ids of the trained tokens.</param>
    /// <param name="weights_L">fp32 weight of each token in the loss of the whole step.</param>
    /// <returns>The weighted sum, the loss of each token, and the gradient of hidden_LE (null when grad is off or nothing upstream is trainable).</returns>
    public static (double Loss, float[] TokenLosses, Tensor? HiddenGradient) Run(Tensor hidden_LE, Parameter head, Tensor targets_L, Tensor weights_L)
    {
        var (loss, tokenLosses, gradient) = Queue(hidden_LE, head, targets_L, weights_L);
        return (loss.Item(), tokenLosses.ToArray<float>(), gradient);
    }

    /// <summary>As <see cref="Run"/>, with the results left on the device: nothing waits for it.</summary>
    /// <param name="terms">What a token's loss is instead of its cross-entropy; null for that.</param>
    /// <returns>The weighted sum (no dimensions) and the cross-entropy of each token [L], both fp32.</returns>
    public static (Tensor Loss, Tensor TokenLosses, Tensor? HiddenGradient) Queue(
        Tensor hidden_LE, Parameter head, Tensor targets_L, Tensor weights_L, TokenTerms? terms = null)
    {
        var hiddenLearns = Autograd.IsRecording && hidden_LE.RequiresGrad;
        var headLearns = Autograd.IsRecording && head.Value.RequiresGrad;
        var trained = head.Rows;
        var rowsLearn = Autograd.IsRecording && trained?.Rows.Value.RequiresGrad == true;
        using var grad = Autograd.NoGrad();
        using var held = head.Open();
        var rows = hidden_LE.Size(0);
        var weight = head.Use();
        var hidden = hidden_LE.Detach();
        if (!headLearns && trained is null && InCaches(hidden.Size(1), hidden.DType, IsHost(hidden)))
        {
            var (tokenLosses, hiddenGradient) = hidden.LinearCrossEntropy(weight, targets_L, weights_L, hiddenLearns);
            var kept = hiddenLearns ? hiddenGradient : null;
            return terms is null
                ? (tokenLosses.Mul(weights_L).Sum(), tokenLosses, kept)
                : Shaped(terms.Shape(tokenLosses, hidden, weight, targets_L), tokenLosses, kept, weight, targets_L, weights_L);
        }

        var chunk = Math.Min(rows, ChunkOf(head, weight.DType, IsHost(weight)));
        var gradient = hiddenLearns ? CreateOps.Empty(hidden.Shape, hidden.DType, hidden.Device) : null;
        var headGradient = headLearns ? CreateOps.Zeros(head.Shape, head.Value.DType, weight.Device) : null;
        var own = trained?.Rows.Use();
        var ownGradient = rowsLearn ? CreateOps.Zeros(trained!.Rows.Shape, trained.Rows.Value.DType, weight.Device) : null;
        var losses = new Tensor[(rows + chunk - 1) / chunk];
        for (var i = 0; i < losses.Length; i++)
        {
            using var scope = TensorScope.Open("block");
            var (start, end) = (i * chunk, Math.Min(rows, (i + 1) * chunk));
            var part = hidden.Slice(0, start, end);
            var logits = part.Linear(weight);
            logits = trained?.Correct(logits, part) ?? logits;
            var (labels, weights) = (targets_L.Slice(0, start, end), weights_L.Slice(0, start, end));
            losses[i] = scope.Release(logits.CrossEntropyInPlace(labels, weights));
            if (trained is not null)
            {
                var (columns, rest) = trained.Split(logits);
                logits = rest;
                ownGradient?.Add_(columns.Transpose().Linear(part.Transpose()).To(ownGradient.DType));
                gradient?.Slice(0, start, end).Copy_(logits.Linear(weight.Transpose()).Add(columns.Linear(own!.Transpose())));
            }
            else
            {
                gradient?.Slice(0, start, end).Copy_(logits.Linear(weight.Transpose()));
            }

            if (headGradient is null)
            {
                continue;
            }

            if (terms is not null)
            {
                var (_, factors, atLabel) = terms.Shape(losses[i], part, weight, labels);
                TokenTerms.AddAtLabels(headGradient, part, atLabel, labels, weights);
                part = part.To(DType.F32).Mul(factors.Unsqueeze(1)).To(part.DType);
            }

            headGradient.Add_(logits.Transpose().Linear(part.Transpose()).To(headGradient.DType));
        }

        if (headGradient is not null)
        {
            Accumulate(head.Value, headGradient);
        }

        if (ownGradient is not null)
        {
            Accumulate(trained!.Rows.Value, ownGradient);
        }

        var all = ShapeOps.Cat(losses);
        return terms is null
            ? (all.Mul(weights_L).Sum(), all, gradient)
            : Shaped(terms.Shape(all, hidden, weight, targets_L), all, gradient, weight, targets_L, weights_L);
    }

    /// <summary>Which targets have the largest logit, in chunks as the loss: 1 or 0 for each, in fp64 on the device.</summary>
    public static Tensor Hits(Tensor hidden_LE, Parameter head, Tensor targets_L)
    {
        using var grad = Autograd.NoGrad();
        using var open = head.Open();
        var rows = hidden_LE.Size(0);
        var chunk = Math.Min(rows, ChunkOf(head, hidden_LE.DType, IsHost(hidden_LE)));
        var hits_L = CreateOps.Zeros([rows], DType.F64, hidden_LE.Device);
        for (var start = 0L; start < rows; start += chunk)
        {
            using var scope = TensorScope.Open("block");
            var end = Math.Min(rows, start + chunk);
            var best = head.Logits(hidden_LE.Slice(0, start, end)).ArgMax(1);
            hits_L.Slice(0, start, end).Copy_(best.IsEqual(targets_L.Slice(0, start, end)));
        }

        return hits_L;
    }

    /// <summary>Most bytes that the loss of so many rows takes besides its results.</summary>
    public static long WorkingBytes(Parameter head, long rows, DType dtype, bool onHost) =>
        !head.Trainable && head.Rows is null && InCaches(head.Shape[1], dtype, onHost)
            ? Math.Min(33 * rows * head.Shape[1] * DType.F32.Size(), SumsBytes)
            : Math.Min(rows, ChunkOf(head, dtype, onHost)) * head.Shape[0] * dtype.Size() * (head.Rows is null ? 1 : 2);

    private static (Tensor Loss, Tensor TokenLosses, Tensor? HiddenGradient) Shaped(
        (Tensor Losses, Tensor Factors, Tensor AtLabel) shape, Tensor tokenLosses, Tensor? gradient, Tensor weight, Tensor targets_L, Tensor weights_L) => (
        shape.Losses.Mul(weights_L).Sum(), tokenLosses,
        gradient is null ? null : TokenTerms.HiddenGradient(gradient, shape.Factors, shape.AtLabel, weight, targets_L, weights_L));

    private static bool InCaches(long width, DType dtype, bool onHost) =>
        onHost && width <= WidestInCaches && (dtype == DType.F32 || (dtype == DType.BF16 && !Processor.HasBf16Tiles));

    private static bool IsHost(Tensor x) => x.Device.Type == DeviceType.Cpu;

    private static long ChunkOf(Parameter head, DType dtype, bool onHost) => onHost
        ? Math.Clamp(ChunkBytes / (head.Shape[0] * dtype.Size()), 16, 4096)
        : Math.Clamp(ChunkBytesOnDevice / (head.Shape[0] * dtype.Size()), 256, 16384);

    private static void Accumulate(Tensor leaf, Tensor gradient)
    {
        if (leaf.Grad() is { } earlier)
        {
            earlier.Add_(gradient);
        }
        else
        {
            leaf.SetGrad(gradient);
        }
    }
}
