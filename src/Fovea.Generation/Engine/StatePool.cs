using Fovea.Models;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Generation.Engine;

/// <summary>The states of recurrent layers, a slot for each sequence under way and for each state that prompts may go on from.</summary>
internal sealed class StatePool : SlotPool
{
    private const int FirstSlots = 2;
    private readonly GatedDeltaShape shape;

    /// <param name="model">One with recurrent layers.</param>
    /// <param name="bytes">Most bytes of all layers together; at least one slot is given in any case.</param>
    /// <param name="most">Most slots that are of use.</param>
    public StatePool(VisionLanguageModel model, long bytes, int most)
        : base(model.Layers, FirstSlots)
    {
        (var layers, shape) = model.States!.Value;
        SlotBytes = layers * ((shape.Memory * shape.Columns * model.Ledger.Options.Compute.Size())
            + (shape.ValueHeads * (long)shape.KeySize * shape.ValueSize * DType.F32.Size()));
        MostSlots = (int)Math.Clamp(bytes / SlotBytes, 1, most);
    }

    public override long SlotBytes { get; }

    public override int MostSlots { get; }

    /// <summary>A layer's last rows before the convolution [slots, K - 1, C] and its states, fp32 [slots, H, K, V].</summary>
    public (Tensor Rows, Tensor States) Layer(int layer, DType dtype, Device device) => Layer(
        layer,
        slots => CreateOps.Zeros([slots, shape.Memory, shape.Columns], dtype, device),
        slots => CreateOps.Zeros([slots, shape.ValueHeads, shape.KeySize, shape.ValueSize], DType.F32, device));
}
