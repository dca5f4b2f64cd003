using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// What happens around one block of a model: its tensor scope, and how much of its activations is kept for backward. Models only hand blocks over.
/// </summary>
/// <param name="usual">What happens to blocks of which nothing else was decided.</param>
public sealed class BlockPolicy(BlockMode usual)
{
    private IReadOnlyDictionary<string, BlockMode> decided = new Dictionary<string, BlockMode>();

    public BlockPolicy(bool recompute)
        : this(recompute ? BlockMode.Recompute : BlockMode.Keep)
    {
    }

    /// <summary>Keeps activations; for inference, tests and short runs.</summary>
    public static BlockPolicy Keep { get; } = new(BlockMode.Keep);

    /// <summary>Says by name what happens to blocks from now on; blocks that are running or have run are not touched.</summary>
    public void Decide(IReadOnlyDictionary<string, BlockMode> modes) => decided = modes;

    /// <summary>The name of a block of the language model.</summary>
    public static string LanguageBlock(int index) => $"language block {index}";

    /// <summary>The name of a block of the vision tower.</summary>
    public static string VisionBlock(int index) => $"vision block {index}";

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

        switch (Autograd.IsRecording ? decided.GetValueOrDefault(name, usual) : BlockMode.Keep)
        {
            case BlockMode.Recompute:
                return Autograd.Checkpoint(block, x);
            case BlockMode.Selective:
                return Autograd.Selective(block, x);
            default:
                using (var scope = TensorScope.Open("block"))
                {
                    return scope.Release(block(x));
                }
        }
    }
}
