using System.Text;
using Fovea.Tensors;
using Fovea.Tensors.Collectives;

namespace Fovea.Distributed;

/// <summary>Texts that ranks give one another.</summary>
internal static class RankTexts
{
    /// <summary>Gives every rank the texts of all, in rank order.</summary>
    public static IReadOnlyList<string> Gather(this Mesh mesh, string what, string text)
    {
        if (mesh.WorldSize == 1)
        {
            return [text];
        }

        using var scope = TensorScope.Open("step");
        var bytes = Encoding.UTF8.GetBytes(text);
        var lengths = new double[mesh.WorldSize];
        lengths[mesh.Rank] = bytes.Length;
        lengths = mesh.Sum(what, lengths);
        var most = Math.Max(1, (int)lengths.Max());
        Array.Resize(ref bytes, most);
        var (own, whole) = (CreateOps.From(bytes), CreateOps.Empty([(long)most * mesh.WorldSize], DType.U8));
        if (!ProcessGroup.HasGloo)
        {
            (own, whole) = (own.To(mesh.Device), whole.To(mesh.Device));
        }

        mesh.AllGather(whole, own, what).Wait();
        var received = whole.To(Device.Cpu).ToArray<byte>();
        return [.. lengths.Select((length, rank) => Encoding.UTF8.GetString(received, rank * most, (int)length))];
    }
}
