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

    /// <summary>The stretch that looks up embeddings of tokens.</summary>
    public const string Embeddings = "embeddings";

    /// <summary>The stretch that turns features of the vision tower into embeddings of the language model.</summary>
    public const string Projector = "projector";

    /// <summary>Told when blocks run, so that it can bring their weights; null where all weights are there all the time.</summary>
    public IBlockGate? Gate { get; set; }

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

        Gate?.Enter(name);
        var result = RunOpen(name, block, x);
        if (Gate is { } gate)
        {
            if (Autograd.IsRecording && result.RequiresGrad)
            {
                Autograd.OnGradient(result, () => gate.EnterBackward(name));
            }

            gate.Leave(name);
        }

        return result;
    }

    private Tensor RunOpen(string name, Func<Tensor, Tensor> block, Tensor x)
    {
        var keeps = !Autograd.IsRecording || name is Embeddings or Projector;
        switch (keeps ? BlockMode.Keep : decided.GetValueOrDefault(name, usual))
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
