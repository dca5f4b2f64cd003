using System.Text;
using Fovea.Tensors;
using Fovea.Tensors.Collectives;

namespace Fovea.Distributed;

/// <summary>Texts that ranks give one another.</summary>
internal sealed partial class Mesh
{
    /// <summary>Gives every rank the texts of all, in rank order.</summary>
    public IReadOnlyList<string> Gather(string what, string text)
    {
        if (group is null)
        {
            return [text];
        }

        using var scope = TensorScope.Open("step");
        var bytes = Encoding.UTF8.GetBytes(text);
        Span<double> lengths = stackalloc double[WorldSize];
        lengths.Clear();
        lengths[Rank] = bytes.Length;
        var all = Sum(what, lengths);
        var most = Math.Max(1, (int)all.Max());
        Array.Resize(ref bytes, most);
        var (own, whole) = (CreateOps.From(bytes), CreateOps.Empty([(long)most * WorldSize], DType.U8));
        if (!ProcessGroup.HasGloo)
        {
            (own, whole) = (own.To(device), whole.To(device));
        }

        AllGather(whole, own, what).Wait();
        var received = whole.To(Device.Cpu).ToArray<byte>();
        return [.. Enumerable.Range(0, WorldSize).Select(rank => Encoding.UTF8.GetString(received, rank * most, (int)all[rank]))];
    }
}
