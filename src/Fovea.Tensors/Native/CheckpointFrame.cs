using System.Runtime.InteropServices;

namespace Fovea.Tensors.Native;

/// <summary>What is needed to run one block again; held by native code until its last saved tensor is gone.</summary>
internal sealed unsafe class CheckpointFrame
{
    private readonly Func<Tensor, Tensor[]> block;
    private readonly IKeptInput input;
    private readonly bool inputNeedsGrad;

    private CheckpointFrame(Func<Tensor, Tensor[]> block, IKeptInput input, bool inputNeedsGrad) =>
        (this.block, this.input, this.inputNeedsGrad) = (block, input, inputNeedsGrad);

    internal static Tensor[] Run(Func<Tensor, Tensor[]> block, Tensor input, Func<Tensor, IKeptInput> keep)
    {
        Bridge.EnsureLoaded();
        var frame = new CheckpointFrame(block, keep(input), input.RequiresGrad);
        var context = Pinned.Open(frame);
        using var scope = TensorScope.Open("block");
        Bridge.Check(Bridge.CheckpointBegin(&Recompute, &Free, context));
        try
        {
            return Array.ConvertAll(block(input), scope.Release);
        }
        finally
        {
            Bridge.Check(Bridge.CheckpointEnd());
        }
    }

    [UnmanagedCallersOnly]
    private static int Recompute(nint context)
    {
        try
        {
            var frame = Pinned.Of<CheckpointFrame>(context);
            using var scope = TensorScope.Open("block");
            var again = frame.input.Take();
            again.RequiresGrad = frame.inputNeedsGrad;
            frame.block(again);
            return 0;
        }
        catch (Exception e)
        {
            return Pinned.Failed(e);
        }
    }

    [UnmanagedCallersOnly]
    private static void Free(nint context)
    {
        Pinned.Of<CheckpointFrame>(context).input.Dispose();
        Pinned.Close(context);
    }
}
