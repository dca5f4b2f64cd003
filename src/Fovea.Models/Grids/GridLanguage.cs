using Fovea.Models.Configs;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.Grids;

/// <summary>A decoder with M-RoPE: token and image embeddings to final hidden states.</summary>
/// <param name="axis">Which of the three axes of positions each rotary frequency follows.</param>
internal abstract class GridLanguage(Decoder decoder, DecoderShape shape, RopeSettings rope, int[] axis)
{
    public DecoderShape Shape => shape;

    /// <summary>The output head [V, E].</summary>
    public Parameter Head => decoder.Head;

    /// <param name="features">Of the input's images; null without images.</param>
    /// <param name="watch">Sees the input and the output of every block, with what images add behind it; for tests.</param>
    /// <param name="inside">Sees what happens inside every block; for tests.</param>
    /// <returns>[T, E], or [L, E] where rows are wanted, after the final norm. The last block does the rest of its work for these alone.</returns>
    public Tensor Forward(ModelInput input, VisualFeatures? features, Action<string, Tensor>? watch = null, Action<string, Tensor>? inside = null)
    {
        var rotary = MultimodalRotary.For(input.Positions, rope, axis, input.Ids.Device);
        var balance = input is { Side: not null, Groups.Count: > 0 } && shape.Experts is not null
            ? new RouterBalance([.. input.Groups.Select(group => (group.Start, group.End, group.Tokens, group.Weight))])
            : null;
        var hidden = decoder.Forward(input.Ids, rotary, input.Attention, features?.At(input), input.Wanted, balance, watch, inside);
        using var scope = TensorScope.Open("balance");
        if (balance?.Close(input.Attention) is { } loss)
        {
            input.Side!.Add(loss);
        }

        return hidden;
    }
}
