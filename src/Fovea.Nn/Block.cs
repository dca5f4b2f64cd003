using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// A stretch of a model that runs in one piece, and the weights taken below it: they are needed while it runs, forward and backward, and at no other time.
/// The model hands over what is to be computed; the tensor scope, how much is kept for backward, and the gathering of sharded weights are the block's.
/// </summary>
internal sealed class Block
{
    private readonly Weights root;
    private readonly List<Parameter> parameters = [];
    private readonly List<Adaptable> adaptables = [];

    internal Block(Weights root, ModelPart part, string name, BlockKind kind)
    {
        this.root = root with { Owner = this };
        (Part, Name, Kind) = (part, name, kind);
        Mode = root.Ledger.Options.BlockMode;
    }

    /// <summary>Part and number, for spans and messages.</summary>
    public string Name { get; }

    /// <summary>Blocks of the vision side do not run for text.</summary>
    public ModelPart Part { get; }

    public BlockKind Kind { get; }

    /// <summary>What it keeps for backward, from its next run on; asked of a <see cref="BlockKind.Layer"/> alone.</summary>
    public BlockMode Mode { get; set; }

    /// <summary>Where its weights begin: whatever is taken below it belongs to the block.</summary>
    public Weights Weights => root;

    /// <summary>The model's own weights in it, in the order in which they were taken.</summary>
    public IReadOnlyList<Parameter> Parameters => parameters;

    /// <summary>The adapters' weights in it, in the order of what they are put on.</summary>
    public IEnumerable<Parameter> AdapterParameters => adaptables.Select(adaptable => adaptable.Lora).OfType<LoraAdapter>().SelectMany(lora => lora.Parameters);

    public static Weights operator /(Block block, string child) => block.root / child;

    public static Weights operator /(Block block, int index) => block.root / index;

    /// <param name="body">Run once, or again in the backward pass.</param>
    /// <param name="x">Its input.</param>
    public Tensor Run(Func<Tensor, Tensor> body, Tensor x) => Run(input => (Tensor[])[body(input)], x)[0];

    /// <summary>As the other overload, for a block whose intermediate results serve elsewhere too.</summary>
    public Tensor[] Run(Func<Tensor, Tensor[]> body, Tensor x)
    {
        if (root.Ledger.Meter is { } meter)
        {
            return meter.Run(this, body, x);
        }

        if (Profile.IsOn)
        {
            var inner = body;
            body = input =>
            {
                using var span = Profile.Open(Name);
                return inner(input);
            };
        }

        if (root.Ledger.Gate is not { } gate)
        {
            return RunOpen(body, x, Mode);
        }

        gate.Enter(this);
        var results = RunOpen(body, x, Mode);
        var entered = false;
        foreach (var result in results)
        {
            if (Autograd.IsRecording && result.RequiresGrad)
            {
                Autograd.OnGradient(result, EnterBackward);
            }
        }

        gate.Leave(this);
        return results;

        // With the first gradient that arrives of any result.
        void EnterBackward()
        {
            if (!entered)
            {
                entered = true;
                gate.EnterBackward(this);
            }
        }
    }

    internal void Add(Parameter parameter) => parameters.Add(parameter);

    internal void Add(Adaptable adaptable) => adaptables.Add(adaptable);

    internal Tensor[] RunOpen(Func<Tensor, Tensor[]> body, Tensor x, BlockMode mode)
    {
        switch (Kind == BlockKind.Layer && Autograd.IsRecording ? mode : BlockMode.Keep)
        {
            case BlockMode.Recompute:
                return Autograd.Checkpoint(body, x);
            case BlockMode.Offload:
                var results = Autograd.Checkpoint(body, x, root.Ledger.HostInputs.Keep);

                // Nobody reads a layer's input behind it: its memory is to be free as soon as it is copied, not at the end of the micro-batch.
                if (x.Owner is not null)
                {
                    x.Dispose();
                }

                return results;
            case BlockMode.Selective:
                return Autograd.Selective(body, x);
            default:
                using (var scope = TensorScope.Open("block"))
                {
                    return Array.ConvertAll(body(x), scope.Release);
                }
        }
    }
}
