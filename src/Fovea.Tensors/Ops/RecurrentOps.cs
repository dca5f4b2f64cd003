namespace Fovea.Tensors;

/// <summary>What carries a state from token to token of a sequence.</summary>
internal static class RecurrentOps
{
    private static readonly Operator DeltaRuleOp = new("fovea::delta_rule");
    private static readonly Operator ShortConvolutionOp = new("fovea::short_convolution");
    private static readonly Operator DeltaStepsOp = new("fovea::delta_steps");
    private static readonly Operator ConvolutionStepsOp = new("fovea::convolution_steps");
    private static readonly Operator DeltaRuleMixedOp = new("fovea::delta_rule_mixed");
    private static readonly Operator DeltaGatesOp = new("fovea::delta_gates");

    /// <summary>
    /// The gated delta rule (arXiv 2412.06464) inside each segment. A head's state S [K, V] becomes exp(g) S + k d^T with d = beta (v - exp(g) S^T k), and the
    /// token's output is S^T q. Queries and keys are brought to length 1 first, 1e-6 added to the sum of their squares, and queries divided by the root of K.
    /// States and sums are fp32.
    /// </summary>
    /// <param name="q">[T, J, K]</param>
    /// <param name="k">[T, J, K]</param>
    /// <param name="v">[T, H, V], H a multiple of J: neighbouring values share a key.</param>
    /// <param name="g">[T, H], fp32, not above 0.</param>
    /// <param name="beta">[T, H], fp32.</param>
    /// <param name="boundaries">From 0 to T.</param>
    /// <returns>[T, H, V]</returns>
    public static Tensor DeltaRule(Tensor q, Tensor k, Tensor v, Tensor g, Tensor beta, long[] boundaries) =>
        DeltaRuleOp.CallTwo(q, k, v, g, beta, boundaries).First;

    /// <summary>As <see cref="DeltaRule"/>, of q, k and v side by side in one tensor; so is their gradient: nothing is joined again.</summary>
    /// <param name="mixed">[T, 2 * J * K + H * V]</param>
    /// <param name="g">[T, H], fp32, not above 0.</param>
    /// <param name="beta">[T, H], fp32.</param>
    /// <param name="keyHeads">J</param>
    /// <param name="keySize">K</param>
    /// <param name="boundaries">From 0 to T.</param>
    /// <returns>[T, H, V]</returns>
    public static Tensor DeltaRuleMixed(Tensor mixed, Tensor g, Tensor beta, long keyHeads, long keySize, long[] boundaries) =>
        DeltaRuleMixedOp.Call(mixed, g, beta, keyHeads, keySize, boundaries);

    /// <summary>As <see cref="DeltaRule"/>, from states to states.</summary>
    /// <param name="initial">fp32 [N, H, K, V], one for each segment; null for zeros.</param>
    /// <returns>[T, H, V], and the states behind the segments, fp32 [N, H, K, V].</returns>
    public static (Tensor Out, Tensor States) DeltaRuleFrom(
        Tensor q, Tensor k, Tensor v, Tensor g, Tensor beta, long[] boundaries, Tensor? initial) =>
        DeltaRuleOp.CallTwo(q, k, v, g, beta, boundaries, initial, true);

    /// <summary>
    /// Bytes that the kernels of a GPU work in while <see cref="DeltaRule"/> goes back over one sequence: what delta_workspace of
    /// native/kernels/cuda/delta_rule.cu says. Nothing of it is kept, and forward takes about half.
    /// </summary>
    /// <param name="keyHeads">J, of K keys each.</param>
    /// <param name="heads">H, of V values each.</param>
    public static long DeltaWorkspace(int tokens, int keyHeads, int heads, int keys, int values)
    {
        const int chunk = 64, columns = 32, enoughBlocks = 128;
        var ratio = heads / keyHeads;
        var blocks = ratio * ((values + columns - 1) / columns);
        var parts = keyHeads / Math.Min(keyHeads, (enoughBlocks + blocks - 1) / blocks);
        long atOnce = (keyHeads + parts - 1) / parts, chunks = (tokens + chunk - 1) / chunk;
        return sizeof(float) * atOnce
            * ((tokens * 2L * (keys + 1)) + (ratio * ((tokens * 2L * (keys + values + 1)) + (chunks * 2 * keys * values))));
    }

    /// <summary>silu of the causal convolution of each column of x [T, C] with its own row of weight [C, K], inside each segment.</summary>
    public static Tensor ShortConvolution(Tensor x, Tensor weight, long[] boundaries) => ShortConvolutionOp.CallTwo(x, weight, boundaries).First;

    /// <summary>As <see cref="ShortConvolution"/>, with rows before the segments.</summary>
    /// <param name="initial">[N, K - 1, C], which learns nothing; null for zeros.</param>
    /// <returns>[T, C], and what the next tokens need: the last rows of each segment [N, K - 1, C].</returns>
    public static (Tensor Y, Tensor Rows) ShortConvolutionFrom(Tensor x, Tensor weight, long[] boundaries, Tensor? initial) =>
        ShortConvolutionOp.CallTwo(x, weight, boundaries, initial, true);

    /// <summary>
    /// As <see cref="DeltaRule"/>, without gradients, from states that it leaves as they are behind the segments. On the CPU the bits of a token depend neither
    /// on the other segments nor on how a sequence was cut into passes.
    /// </summary>
    /// <param name="states">fp32 [P, H, K, V]; zeros before a sequence.</param>
    /// <param name="slots">Which state each segment has.</param>
    public static Tensor DeltaSteps(Tensor q, Tensor k, Tensor v, Tensor g, Tensor beta, long[] boundaries, Tensor states, long[] slots) =>
        DeltaStepsOp.Call(q, k, v, g, beta, boundaries, states, slots);

    /// <summary>As <see cref="ShortConvolution"/>, without gradients, behind rows that it replaces by the last of the segments.</summary>
    /// <param name="rows">[P, K - 1, C]; zeros before a sequence.</param>
    /// <param name="slots">Which rows each segment has.</param>
    public static Tensor ConvolutionSteps(Tensor x, Tensor weight, long[] boundaries, Tensor rows, long[] slots) =>
        ConvolutionStepsOp.Call(x, weight, boundaries, rows, slots);

    /// <summary>What a delta rule keeps and writes, in fp32: g = -exp(rate) softplus(a + step) and beta = sigmoid(b).</summary>
    /// <param name="a">[T, H]</param>
    /// <param name="b">[T, H]</param>
    /// <param name="rate">[H]</param>
    /// <param name="step">[H]</param>
    public static (Tensor G, Tensor Beta) DeltaGates(Tensor a, Tensor b, Tensor rate, Tensor step) => DeltaGatesOp.CallTwo(a, b, rate, step);
}
