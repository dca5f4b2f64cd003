using Fovea.Generation.Engine;
using Fovea.Nn;

namespace Fovea.Tests.Unit.Generation;

/// <summary>Attention over pages of a cache gives what attention over the whole sequence gives.</summary>
public sealed class KeyValuePagesTests : NativeTest
{
    private const int Tokens = 300;
    private const int Heads = 6;
    private const int Groups = 2;
    private const int Size = 8;

    [Theory]
    [InlineData(DType.F32, 1e-5)]
    [InlineData(DType.BF16, 3e-2)]
    internal void Any_split_of_several_sequences_into_passes_equals_one_causal_pass_of_each(DType dtype, double tolerance)
    {
        Torch.Seed(1);
        using var scope = TensorScope.Open("test");
        var q = Numbers(Heads).To(dtype);
        var k = Numbers(Groups).To(dtype);
        var v = Numbers(Groups).To(dtype);
        var expected = Attention.Packed(q, k, v, new Segments([0, Tokens]), causal: true, 0.3).To(DType.F32).ToArray<float>();

        // The same sequence three times, split differently, in pages that lie about. Each pass takes the next part of all that are not through.
        int[][] splits = [[10, 1, 1, 63, 64, 161], [1, 299], [130, 1, 169]];
        int[][] tables = [[14, 3, 7, 9, 0], [5, 1, 2, 13, 8], [4, 6, 10, 11, 12]];
        var keys = KeyValuePages.New(dtype, Groups, Size, 16, Device.Cpu);
        var values = KeyValuePages.New(dtype, Groups, Size, 16, Device.Cpu);
        var (past, results) = (new int[3], new List<Tensor>[] { [], [], [] });
        for (var pass = 0; pass < splits.Max(split => split.Length); pass++)
        {
            var active = Enumerable.Range(0, 3).Where(i => pass < splits[i].Length).ToList();
            int[] offsets = [0, .. active.Select((_, at) => active.Take(at + 1).Sum(i => splits[i][pass]))];
            Tensor Rows(Tensor x) => ShapeOps.Cat([.. active.Select(i => x.Slice(0, past[i], past[i] + splits[i][pass]))]);
            var given = KeyValuePages.Attend(
                Rows(q), Rows(k), Rows(v), keys, values, active.SelectMany(i => tables[i]).ToArray(), offsets, active.Select(i => past[i]).ToArray(), 0.3);
            for (var at = 0; at < active.Count; at++)
            {
                results[active[at]].Add(given.Slice(0, offsets[at], offsets[at + 1]));
                past[active[at]] += splits[active[at]][pass];
            }
        }

        for (var i = 0; i < 3; i++)
        {
            Parity.Golden.Near(string.Join('+', splits[i]), expected, ShapeOps.Cat([.. results[i]]).To(DType.F32).ToArray<float>(), tolerance);
        }
    }

    private static Tensor Numbers(int heads) => CreateOps.Empty([Tokens, heads, Size]).Normal_(0, 1);
}
