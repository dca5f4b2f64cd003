using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// Measures what each block of a model keeps for its backward pass. Until it is disposed every weight is a shape on the meta device, and so is whatever is
/// computed with it: nothing is calculated or gathered, and the weights themselves are not touched.
/// </summary>
internal sealed class BlockMeter : IDisposable
{
    private readonly Ledger ledger;
    private readonly List<Parameter> parameters;
    private readonly List<DropoutStream> dropouts;
    private readonly IDisposable? copies;
    private readonly Dictionary<Block, long> kept = [];
    private readonly Dictionary<Block, long> inputs = [];
    private readonly Dictionary<Block, long> working = [];
    private readonly HashSet<Block> recorded = [];
    private SavedMemory? saved;
    private BlockMode mode;
    private long around;
    private long mostWorking;

    /// <param name="castsWeights">Weights that learn are used as copies in the element type of the computation; false where those copies are gathered.</param>
    /// <param name="castsAdapters">The same of adapters, whose copies are made once for all passes of a step and not counted here.</param>
    /// <param name="onHost">Whether passes run as on the CPU.</param>
    public BlockMeter(Ledger ledger, bool castsWeights, bool castsAdapters, bool onHost)
    {
        this.ledger = ledger;
        OnHost = onHost;
        parameters = [.. ledger.Parameters, .. ledger.AdapterParameters];
        dropouts = [.. ledger.Adaptables.Select(adaptable => adaptable.Lora?.Dropout).OfType<DropoutStream>().Distinct()];
        ledger.Meter = ledger.Meter is null ? this : throw new InvalidOperationException("this model is being measured already");
        foreach (var parameter in parameters)
        {
            var master = parameter.Trainable && (castsWeights || parameter.IsAdapter);
            parameter.StandIn = CreateOps.Empty(parameter.Shape, master ? ledger.Options.Master : parameter.Compute, Device.Meta).Keep();
            parameter.StandIn.RequiresGrad = parameter.Trainable;
        }

        dropouts.ForEach(dropout => dropout.AsShapes = true);
        copies = castsAdapters ? new AdapterCopies(ledger).Open() : null;
    }

    /// <summary>Whether passes run as on the CPU.</summary>
    internal bool OnHost { get; }

    /// <param name="layers">What the layers of the model do.</param>
    /// <param name="pass">A forward pass, recorded for gradients; what it leaves in the open scope counts as held until the backward pass.</param>
    public PassMemory Measure(BlockMode layers, Action pass)
    {
        (mode, around) = (layers, 0);
        kept.Clear();
        inputs.Clear();
        working.Clear();
        recorded.Clear();
        using var grad = Autograd.WithGrad();
        using var scope = TensorScope.Open("micro-batch");
        using (saved = SavedMemory.Start())
        {
            foreach (var parameter in parameters)
            {
                saved.Ignore(parameter.Value);
                foreach (var tensor in parameter.Packed?.Tensors ?? [])
                {
                    saved.Ignore(tensor);
                }

                if (parameter.Copy is { } copy)
                {
                    saved.Ignore(copy);
                }
            }

            pass();
            NoteHeld();
            around += saved.Take();
        }

        saved = null;
        return new PassMemory(
            around, new Dictionary<Block, long>(kept), new Dictionary<Block, long>(inputs), new Dictionary<Block, long>(working), [.. recorded]);
    }

    public void Dispose()
    {
        copies?.Dispose();
        dropouts.ForEach(dropout => dropout.AsShapes = false);
        foreach (var parameter in parameters)
        {
            parameter.StandIn?.Dispose();
            parameter.StandIn = null;
        }

        ledger.Meter = null;
    }

    /// <summary>A block's input is kept in any case, and counts as the block's; what was made or saved before, as the model's own.</summary>
    internal Tensor[] Run(Block block, Func<Tensor, Tensor[]> body, Tensor x)
    {
        if (!Autograd.IsRecording)
        {
            return block.RunOpen(body, x, mode);
        }

        var seen = saved ?? throw new InvalidOperationException("a block runs outside of a measured pass");
        around += seen.Take();
        seen.Add(x);
        var input = seen.Take();
        NoteHeld();
        around += seen.Take();
        mostWorking = 0;
        var results = block.RunOpen(body, x, mode);
        if (mostWorking > 0)
        {
            working[block] = mostWorking;
        }

        kept[block] = kept.GetValueOrDefault(block) + input + seen.Take();
        inputs[block] = inputs.GetValueOrDefault(block) + input;
        if (results.Any(result => result.RequiresGrad))
        {
            recorded.Add(block);
        }

        return results;
    }

    /// <summary>Bytes that a kernel of the block at work takes while it runs, and no longer.</summary>
    internal void NoteWorking(long bytes) => mostWorking = Math.Max(mostWorking, bytes);

    private void NoteHeld()
    {
        foreach (var tensor in TensorScope.Current!.Owned)
        {
            saved!.Add(tensor);
        }
    }
}
