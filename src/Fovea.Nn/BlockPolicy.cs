using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// What happens around one block of a model: its tensor scope, and whether its activations are kept or recomputed in backward. Models only hand blocks over.
/// </summary>
public sealed class BlockPolicy(bool recompute)
{
    private IReadOnlySet<string> kept = new HashSet<string>();

    /// <summary>Whether blocks are recomputed at all.</summary>
    public bool Recomputes => recompute;

    /// <summary>Keeps activations; for inference, tests and short runs.</summary>
    public static BlockPolicy Keep { get; } = new(false);

    /// <summary>Excepts these blocks from recomputation: there is memory for what they keep.</summary>
    public void KeepActivationsOf(IReadOnlySet<string> blocks) => kept = blocks;

    /// <summary>The name of a block of the language model.</summary>
    public static string LanguageBlock(int index) => $"language block {index}";

    /// <param name="name">Part and number of the block.</param>
    /// <param name="block">Run once, or again in the backward pass.</param>
    /// <param name="x">Its input.</param>
    public Tensor Run(string name, Func<Tensor, Tensor> block, Tensor x)
    {
        if (Profile.IsOn)
        {
            var inner = block;
            block = input =>
            {
                using var span = Profile.Open(name);
                return inner(input);
            };
        }

        if (recompute && !kept.Contains(name) && Autograd.IsRecording)
        {
            return Autograd.Checkpoint(block, x);
        }

        using var scope = TensorScope.Open("block");
        return scope.Release(block(x));
    }
}
