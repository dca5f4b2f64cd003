using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>One layer of a decoder of the Llama kind: a mixer of tokens, then a gated MLP, each behind an RMSNorm.</summary>
/// <remarks>Suffixes: T tokens, E width.</remarks>
internal sealed class DecoderBlock(Block block, DecoderShape shape, int layer)
{
    private readonly RmsNorm inputNorm = new(block / "input_layernorm", shape.Width, shape.NormEpsilon, shape.NormShift);
    private readonly IMixer mixer = shape.MixerOf(block, layer);
    private readonly RmsNorm mixedNorm = new(block / "post_attention_layernorm", shape.Width, shape.NormEpsilon, shape.NormShift);
    private readonly GatedMlp mlp = new(block / "mlp", shape.Width, shape.Inner, bias: false);

    /// <param name="wanted">Rows that the result is made of; null for all. The others still serve the mixer.</param>
    public Tensor Forward(Tensor x_TE, Rotary rotary, ISequencePlan sequences, Tensor? wanted = null) =>
        block.Run(x => Compute(x, rotary, sequences, wanted), x_TE);

    private Tensor Compute(Tensor x_TE, Rotary rotary, ISequencePlan sequences, Tensor? wanted)
    {
        var mixed = mixer.Forward(inputNorm.Forward(x_TE), rotary, sequences, wanted);
        using var rows = wanted is null ? null : PassRows.Select(wanted);
        x_TE = Add(wanted is null ? x_TE : x_TE.IndexSelect(0, wanted), mixed);
        return Add(x_TE, mlp.Forward(mixedNorm.Forward(x_TE)));
    }

    private Tensor Add(Tensor x, Tensor branch) => x.Add(shape.ResidualScale == 1 ? branch : branch.Mul(shape.ResidualScale));
}
