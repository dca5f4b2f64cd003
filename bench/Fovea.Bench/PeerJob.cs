using Fovea.Data.Packing;
using Fovea.Files.Safetensors;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Bench;

/// <summary>What a peer needs to train the same model on the same batch, in <c>job.safetensors</c>: weights, token ids, labels and pixels.</summary>
internal static class PeerJob
{
    // What PyTorch's cross entropy leaves out.
    private const long Untrained = -100;

    /// <param name="weights">Written in fp32 under their own names.</param>
    /// <param name="batch">Ids and labels [T] (not shifted), pixels [P, values of a patch].</param>
    public static void Write(string folder, IEnumerable<Parameter> weights, PackedBatch batch)
    {
        using var scope = TensorScope.Open("job");
        var labels = new long[batch.Tokens];
        Array.Fill(labels, Untrained);
        for (var i = 0; i < batch.Targets.Length; i++)
        {
            labels[batch.LossIndex[i] + 1] = batch.Targets[i];
        }

        var pixels = batch.Pixels.AsSpan(0, batch.Patches * batch.PatchLength);
        SafetensorsWriter.Write(Path.Combine(folder, "job.safetensors"),
        [
            .. weights.Select(weight => TensorBytes.Source(weight.Name, weight, DType.F32)),
            TensorBytes.Source("ids", CreateOps.On(Device.Cpu, batch.Ids)),
            TensorBytes.Source("labels", CreateOps.On(Device.Cpu, labels)),
            TensorBytes.Source("pixels", CreateOps.On<float>(Device.Cpu, pixels, batch.Patches, batch.PatchLength)),
        ]);
    }
}
