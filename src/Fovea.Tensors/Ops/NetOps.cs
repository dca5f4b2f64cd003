namespace Fovea.Tensors;

/// <summary>The larger pieces of neural networks that libtorch has whole.</summary>
internal static class NetOps
{
    private static readonly Operator SiluOp = new("aten::silu");
    private static readonly Operator GeluOp = new("aten::gelu");
    private static readonly Operator GeluTanhOp = new("fovea::gelu_tanh");
    private static readonly Operator EmbeddingOp = new("aten::embedding");
    private static readonly Operator AttentionOp = new("aten::scaled_dot_product_attention");

    // What serves attention with gradients on the CPU. On the meta device libtorch would take separate products, which keep all scores for backward.
    private static readonly Operator FusedAttentionOp = new("aten::_scaled_dot_product_flash_attention_for_cpu");
    private static readonly Operator PackedAttentionOp = new("fovea::attention");
    private static readonly Operator NewPagesOp = new("fovea::new_pages");
    private static readonly Operator AttendPagesOp = new("fovea::attend_pages");
    private static readonly Operator CrossEntropyOp = new("aten::cross_entropy_loss");
    private static readonly Operator FusedAdamWOp = new("aten::_fused_adamw_");
    private static readonly Operator EightBitAdamWOp = new("fovea::eight_bit_adamw_");
    private static readonly Operator SigmoidOp = new("aten::sigmoid");
    private static readonly Operator LayerNormOp = new("aten::layer_norm");
    private static readonly Operator RmsNormOp = new("fovea::rms_norm");
    private static readonly Operator ResizeOp = new("aten::_upsample_bicubic2d_aa");
    private static readonly Operator SiluMulOp = new("fovea::silu_mul");
    private static readonly Operator GatedNormOp = new("fovea::gated_norm");
    private static readonly Operator SigmoidMulOp = new("fovea::sigmoid_mul");
    private static readonly Operator RotaryOp = new("fovea::rotary");
    private static readonly Operator LoraLinearsOp = new("fovea::lora_linears");
    private static readonly Operator LoraRunsOp = new("fovea::lora_runs");
    private static readonly Operator UsedAsOp = new("fovea::used_as");
    private static readonly Operator DropoutOp = new("fovea::dropout");
    private static readonly Operator GroupedLinearOp = new("fovea::grouped_linear");
    private static readonly Operator StackedLinearOp = new("fovea::stacked_linear");
    private static readonly Operator CrossEntropyInPlaceOp = new("fovea::cross_entropy_in_place");
    private static readonly Operator LinearCrossEntropyOp = new("fovea::linear_cross_entropy");

    public static Tensor Silu(this Tensor x) => SiluOp.Call(x);

    /// <param name="tanh">The tanh approximation instead of the exact form.</param>
    public static Tensor Gelu(this Tensor x, bool tanh = false) =>
        RowStable.Serves(x) && x.DType == DType.F16 ? x.To(DType.F32).Gelu(tanh).To(DType.F16)
        : tanh ? GeluTanhOp.Call(x)
        : GeluOp.Call(x, "none");

    /// <remarks>libtorch computes the last numbers of a thread's part in another way than the rest, and so does it GELU in fp16.</remarks>
    public static Tensor Sigmoid(this Tensor x) =>
        RowStable.Serves(x) ? x.To(DType.F32).Neg().Exp().Add(1).Pow(-1).To(x.DType) : SigmoidOp.Call(x);

    /// <summary>Rows of a table by 64-bit ids.</summary>
    public static Tensor Embedding(this Tensor table, Tensor ids) => EmbeddingOp.Call(table, ids);

    /// <summary>softmax(q k^T * scale) v over [batch, heads, length, head size]; grouped queries repeat keys and values by themselves.</summary>
    public static Tensor ScaledDotProductAttention(
        Tensor q, Tensor k, Tensor v, bool causal, double scale, bool grouped = false, Tensor? mask = null) =>
        RowStable.Serves(q) && !grouped && !causal && mask is null ? PlainAttention(q, k, v, scale)
        : q.Device.Type == DeviceType.Meta && !grouped && mask is null
            ? FusedAttentionOp.CallTwo(q, k, v, 0.0, causal, Arg.None, scale).First
            : AttentionOp.Call(q, k, v, mask, 0.0, causal, scale, grouped);

    /// <summary>Attention inside each segment of packed tokens: q [T, H, D], k and v [T, G, D], boundaries from 0 to T.</summary>
    /// <param name="offsets">The boundaries as 32-bit integers on the device of q; only the CPU does without.</param>
    public static Tensor PackedAttention(Tensor q, Tensor k, Tensor v, long[] boundaries, bool causal, double scale, Tensor? offsets = null) =>
        PackedAttentionOp.Call(q, k, v, boundaries, causal, scale, offsets);

    /// <summary>Tokens of a page of <see cref="AttendPages"/>.</summary>
    public const int PageTokens = 64;

    /// <summary>
    /// Pages for the keys, or the values, of one layer: as many rows, all zero, which <see cref="AttendPages"/> alone reads and writes. A copied row is the
    /// same page at another number.
    /// </summary>
    public static Tensor NewPages(DType dtype, Device device, int groups, int size, int pages) =>
        NewPagesOp.Call(CreateOps.Empty([0], dtype, device), groups, size, pages);

    /// <summary>
    /// Attention of the new tokens of many sequences, one and all: token by token q [T, H, D] and k, v [T, G, D], sequence behind sequence. Keys and values go
    /// to their pages first; then every token attends to its sequence up to itself. On the CPU its bits depend on nothing else.
    /// </summary>
    /// <param name="tables">The pages of each sequence, 32 bits on the host [N, most]: token i lies in the page at i / 64.</param>
    /// <param name="offsets">Where each sequence begins in q, from 0 to T, 32 bits on the host [N + 1]; each brings one token or more.</param>
    /// <param name="past">How many tokens each has in its pages already, 32 bits on the host [N].</param>
    /// <returns>[T, H * D]</returns>
    public static Tensor AttendPages(
        Tensor q, Tensor k, Tensor v, Tensor keys, Tensor values, Tensor tables, Tensor offsets, Tensor past, double scale) =>
        AttendPagesOp.Call(q, k, v, keys, values, tables, offsets, past, scale);

    private static Tensor PlainAttention(Tensor q, Tensor k, Tensor v, double scale) =>
        q.To(DType.F32).MatMul(k.To(DType.F32).Transpose(-2, -1)).Mul(scale).Softmax(-1).MatMul(v.To(DType.F32)).To(q.DType);

    /// <summary>Per-row cross-entropy of logits [N, V] against 64-bit class ids [N], without reduction.</summary>
    public static Tensor CrossEntropy(this Tensor logits, Tensor targets) => CrossEntropyOp.Call(logits, targets, Arg.None, 0);

    /// <summary>x / sqrt(mean(x^2) + epsilon) * (weight + shift) over the last dimension, in one pass.</summary>
    public static Tensor RmsNorm(this Tensor x, Tensor weight, double epsilon, double shift = 0) => RmsNormOp.Call(x, weight, epsilon, shift);

    /// <summary>(x - mean) / sqrt(variance + epsilon) * weight + bias over the last dimension.</summary>
    public static Tensor LayerNorm(this Tensor x, Tensor weight, Tensor bias, double epsilon) =>
        LayerNormOp.Call(x, (long[])[x.Size(-1)], weight, bias, epsilon, true);

    /// <summary>Antialiased bicubic resize of [N, C, H, W] to another height and width; corners are not aligned.</summary>
    public static Tensor ResizeBicubic(this Tensor x, long height, long width) => ResizeOp.Call(x, (long[])[height, width], false, Arg.None, Arg.None);

    /// <summary>silu(gate) * up, in one pass.</summary>
    public static Tensor SiluMul(Tensor gate, Tensor up) => SiluMulOp.Call(gate, up);

    /// <summary>silu(gate) * RmsNorm(x, weight), in one pass, in the shape of the gate, which has as many numbers as x.</summary>
    public static Tensor GatedNorm(this Tensor x, Tensor gate, Tensor weight, double epsilon) => GatedNormOp.Call(x, gate, weight, epsilon);

    /// <summary>x * sigmoid(gate) for x [T, H * D] and gate [T, H, D], in one pass; the gate may be a slice of a fused projection.</summary>
    public static Tensor SigmoidMul(Tensor x, Tensor gate) => SigmoidMulOp.Call(x, gate);

    /// <summary>x cos + rotate_half(x) sin for the first R of the D values of x [T, H, D] and fp32 cos, sin [T, R], in one pass; the others stay.</summary>
    public static Tensor Rotary(this Tensor x, Tensor cos, Tensor sin) => RotaryOp.Call(x, cos, sin);

    /// <summary>x W^T + b + scale (x A^T) B^T of each W of one x; W and b frozen, A and B in the element type of x or fp32 masters.</summary>
    /// <param name="biases">One for each weight, or none at all.</param>
    /// <param name="used">All A, then all B in the element type of x; null or empty to cast them here.</param>
    /// <param name="keys">Drops the inputs of the adapters as <see cref="Dropout"/> does; null for no dropout.</param>
    /// <param name="modules">A number for each adapter, with keys.</param>
    public static Tensor[] LoraLinears(
        this Tensor x, Tensor[] weights, Tensor[] biases, Tensor[] a, Tensor[] b, double scale, Tensor[]? used = null, Tensor? keys = null,
        long[]? modules = null, double probability = 0) =>
        LoraLinearsOp.CallList(x, weights, biases, a, b, used ?? [], scale, keys, modules ?? [], probability);

    /// <summary>x W^T + b, and for each run of rows scale (x A^T) B^T of its own A and B, all in the element type of x; without gradients.</summary>
    /// <param name="starts">Where the runs begin, from 0 to the number of rows, one more than runs.</param>
    /// <param name="adapters">Of each run, which A, B and scale; -1 for none.</param>
    public static Tensor LoraRuns(
        this Tensor x, Tensor weight, Tensor? bias, Tensor[] a, Tensor[] b, double[] scales, long[] starts, long[] adapters) =>
        LoraRunsOp.Call(x, weight, bias, a, b, scales, starts, adapters);

    /// <summary>
    /// x with a share of <paramref name="probability"/> set to zero and the rest multiplied by 1 / (1 - probability). What is dropped depends on the row's key,
    /// the module's number and the place in the row alone.
    /// </summary>
    /// <param name="x">[T, N]</param>
    /// <param name="keys">[T], 64 bits</param>
    public static Tensor Dropout(this Tensor x, Tensor keys, long module, double probability) => DropoutOp.Call(x, keys, module, probability);

    /// <summary>A weight as a copy of it in another element type; gradients go to the weight.</summary>
    public static Tensor UsedAs(this Tensor weight, Tensor copy) => UsedAsOp.Call(weight, copy);

    /// <summary>x W^T of stretches of rows, each with its own weight: rows starts[i] to starts[i + 1] of x [R, in] with weights[i] [out, in].</summary>
    /// <param name="starts">From 0 to R, one more than weights; a stretch may be empty, and its weight then has a gradient of zeros.</param>
    /// <returns>[R, out]</returns>
    public static Tensor GroupedLinear(this Tensor x, Tensor[] weights, long[] starts) => GroupedLinearOp.Call(x, weights, starts);

    /// <summary>As <see cref="GroupedLinear"/>, with all weights in one tensor [E, out, in]. Its strides are free, and its gradient has the same.</summary>
    /// <returns>[R, out]</returns>
    public static Tensor StackedLinear(this Tensor x, Tensor weight, long[] starts) => StackedLinearOp.Call(x, weight, starts);

    /// <summary>Cross-entropy of each row of logits [N, V]; the logits become the gradient of the weighted sum of the losses.</summary>
    public static Tensor CrossEntropyInPlace(this Tensor logits, Tensor targets, Tensor weights) => CrossEntropyInPlaceOp.Call(logits, targets, weights);

    /// <summary>Cross-entropy of each row of x W^T, fp32 or bf16 on the CPU, in blocks that stay in its caches: there are no logits in memory.</summary>
    /// <param name="x">[N, E]</param>
    /// <param name="weight">[V, E]; what it would learn is not computed.</param>
    /// <param name="gradient">Whether the gradient of x is wanted.</param>
    /// <returns>The losses [N], fp32, and the gradient of their weighted sum by x; without rows where it is not wanted.</returns>
    public static (Tensor Losses, Tensor Gradient) LinearCrossEntropy(
        this Tensor x, Tensor weight, Tensor targets, Tensor weights, bool gradient) => LinearCrossEntropyOp.CallTwo(x, weight, targets, weights, gradient);

    /// <summary>One AdamW update of every parameter, in place (decoupled weight decay; arXiv 1711.05101).</summary>
    /// <param name="steps">One-element fp32 tensors holding the number of this update, counted from 1.</param>
    /// <param name="divisor">One fp32 number that gradients are divided by first, which changes them; null is 1.</param>
    /// <param name="skip">One fp32 number: 1 leaves everything as it is; null is 0.</param>
    public static void FusedAdamW_(
        Tensor[] parameters, Tensor[] gradients, Tensor[] means, Tensor[] variances, Tensor[] steps,
        double rate, double beta1, double beta2, double decay, double epsilon,
        Tensor? divisor = null, Tensor? skip = null) =>
        FusedAdamWOp.Run(
            parameters, gradients, means, variances, Array.Empty<Tensor>(), steps, rate, beta1, beta2, decay, epsilon, false, false,
            divisor, skip);

    /// <summary>As <see cref="FusedAdamW_"/>, with moments as bytes [n] and fp32 scales, one for each block of 256 elements in a row.</summary>
    /// <param name="means">Bytes; all zero before the first step, as are their scales.</param>
    public static void EightBitAdamW_(
        Tensor[] parameters, Tensor[] gradients, Tensor[] means, Tensor[] meanScales, Tensor[] variances, Tensor[] varianceScales, Tensor[] steps,
        double rate, double beta1, double beta2, double decay, double epsilon, Tensor? divisor, Tensor skip) =>
        EightBitAdamWOp.Run(
            parameters, gradients, means, meanScales, variances, varianceScales, steps, rate, beta1, beta2, decay, epsilon, divisor, skip);
}
