using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>One layer of a decoder of the Llama kind: a mixer of tokens, then a gated MLP or a mixture of them, each behind an RMSNorm.</summary>
/// <remarks>Suffixes: T tokens, E width.</remarks>
internal sealed class DecoderBlock(Block block, DecoderShape shape, int layer)
{
    private readonly RmsNorm inputNorm = new(block / "input_layernorm", shape.Width, shape.NormEpsilon, shape.NormShift);
    private readonly IMixer mixer = shape.MixerOf(block, layer);
    private readonly RmsNorm mixedNorm = new(block / "post_attention_layernorm", shape.Width, shape.NormEpsilon, shape.NormShift);
    private readonly GatedMlp? mlp = shape.Experts?.IsIn(layer) == true ? null : new(block / "mlp", shape.Width, shape.Inner, bias: false);
    private readonly SparseMlp? experts = shape.Experts is { } sparse && sparse.IsIn(layer) ? new(block / "mlp", shape.Width, sparse) : null;

    /// <param name="wanted">Rows that the result is made of; null for all. The others still serve the mixer, and the router's loss.</param>
    /// <param name="balance">Takes what the loss of routers is made of; null where none is wanted.</param>
    /// <param name="watch">Sees what the mixer and the MLP add, and what the router does; for tests.</param>
    public Tensor Forward(
        Tensor x_TE, Rotary rotary, ISequencePlan sequences, Tensor? wanted = null, RouterBalance? balance = null, Action<string, Tensor>? watch = null) =>
        block.Run(x => Compute(x, rotary, sequences, wanted, balance, watch), x_TE);

    private Tensor Compute(
        Tensor x_TE, Rotary rotary, ISequencePlan sequences, Tensor? wanted, RouterBalance? balance, Action<string, Tensor>? watch)
    {
        // The router's loss is over all tokens, so then only what comes after it can be spared.
        var late = experts is not null && balance is not null ? wanted : null;
        var early = late is null ? wanted : null;
        var mixed = mixer.Forward(inputNorm.Forward(x_TE), rotary, sequences, early);
        watch?.Invoke("mixer_out", mixed);
        using var rows = early is null ? null : PassRows.Select(early);
        x_TE = Add(early is null ? x_TE : x_TE.IndexSelect(0, early), mixed);
        var normed_TE = mixedNorm.Forward(x_TE);
        var y_TE = mlp?.Forward(normed_TE) ?? experts!.Forward(normed_TE, balance, late, watch);
        watch?.Invoke("mlp_out", y_TE);
        return Add(late is null ? x_TE : x_TE.IndexSelect(0, late), y_TE);
    }

    private Tensor Add(Tensor x, Tensor branch) => x.Add(shape.ResidualScale == 1 ? branch : branch.Mul(shape.ResidualScale));
}
