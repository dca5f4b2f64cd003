using Fovea.Nn;

namespace Fovea.Models;

/// <summary>
/// What one transformer block (norm, attention, norm, gated MLP) holds for its backward pass, in elements a row: a token, or a patch of an image.
/// </summary>
/// <param name="Name">Its name for <see cref="BlockPolicy"/>.</param>
/// <param name="Path">The path of its weights.</param>
/// <param name="Part">Vision or language.</param>
public sealed record BlockShape(string Name, string Path, ModelPart Part)
{
    /// <summary>Of the residual stream.</summary>
    public required long Width { get; init; }

    /// <summary>Queries, keys and values as attention keeps them.</summary>
    public required long AttentionInputs { get; init; }

    /// <summary>All heads together.</summary>
    public required long AttentionOutput { get; init; }

    public required long Heads { get; init; }

    /// <summary>Of the gated MLP.</summary>
    public required long Inner { get; init; }

    /// <summary>Layer norms and an MLP without a gate: nothing of it is cheap to compute again.</summary>
    public bool IsPlain { get; init; }

    /// <summary>Bytes a row.</summary>
    /// <param name="size">Bytes of an element.</param>
    /// <param name="adapters">Elements a row that adapters keep besides.</param>
    /// <param name="ownInputs">Whether the adapters keep inputs of their own (dropout) instead of the outputs of norms and gate.</param>
    public long BytesOf(BlockMode mode, int size, long adapters, bool ownInputs)
    {
        // The input, both norms' outputs, the middle of the residual stream; gate, up and their product; one fp32 scale a norm, one log-sum-exp a head.
        var cheap = ownInputs || IsPlain ? 0 : (2 * Width) + Inner;
        var all = ((IsPlain ? 4 : 2) * Width) + AttentionInputs + AttentionOutput + (2 * Inner) + adapters + cheap;
        var scales = 4 * (Heads + 2);
        return mode switch
        {
            BlockMode.Keep => (size * all) + scales,
            BlockMode.Selective => (size * (all - cheap)) + scales,
            _ => size * Width,
        };
    }
}
