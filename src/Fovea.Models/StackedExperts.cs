using Fovea.Nn;
using Fovea.Nn.FourBit;
using Fovea.Tensors;

namespace Fovea.Models;

/// <summary>
/// A checkpoint that has the linears of experts one by one, seen as one that has those of all experts as one weight: [experts, out, in]. A weight is put
/// together when it is read. Where a linear is missing, or shapes differ, all stay what they are, and loading says what does not fit.
/// </summary>
internal sealed class StackedExperts : IWeightSource
{
    private readonly IWeightSource files;
    private readonly Dictionary<string, string[]> pieces;
    private readonly IReadOnlyCollection<string> names;

    private StackedExperts(IWeightSource files, Dictionary<string, string[]> pieces)
    {
        (this.files, this.pieces) = (files, pieces);
        names = [.. files.Names.Except(pieces.Values.SelectMany(names => names)), .. pieces.Keys];
    }

    public IReadOnlyCollection<string> Names => names;

    /// <returns>The files themselves where they have nothing to put together.</returns>
    public static IWeightSource Over(IWeightSource files)
    {
        var found = files.Names.Select(name => (Name: name, Piece: ExpertPiece.Of(name))).Where(pair => pair.Piece is not null)
            .GroupBy(pair => pair.Piece!.Weight).Where(weight => !files.Has(weight.Key));
        var pieces = new Dictionary<string, string[]>(StringComparer.Ordinal);
        foreach (var weight in found)
        {
            var sorted = weight.OrderBy(pair => (pair.Piece!.Expert, pair.Piece.Part)).ToList();
            var parts = weight.Key.EndsWith("gate_up_proj", StringComparison.Ordinal) ? 2 : 1;
            var shape = files.ShapeOf(sorted[0].Name);
            if (shape is [_, _] && sorted.Count % parts == 0
                && sorted.Select((pair, i) => pair.Piece!.Expert == i / parts && pair.Piece.Part == i % parts).All(right => right)
                && sorted.All(pair => files.ShapeOf(pair.Name).AsSpan().SequenceEqual(shape)))
            {
                pieces.Add(weight.Key, [.. sorted.Select(pair => pair.Name)]);
            }
        }

        return pieces.Count == 0 ? files : new StackedExperts(files, pieces);
    }

    public bool Has(string name) => pieces.ContainsKey(name) || files.Has(name);

    public long[]? ShapeOf(string name)
    {
        if (!pieces.TryGetValue(name, out var linears))
        {
            return files.ShapeOf(name);
        }

        var shape = files.ShapeOf(linears[0])!;
        var experts = ExpertPiece.Of(linears[^1])!.Expert + 1;
        return [experts, linears.Length / experts * shape[0], shape[1]];
    }

    public bool IsFourBit(string name) => !pieces.ContainsKey(name) && files.IsFourBit(name);

    public StoredFourBit ReadFourBit(string name, long[] shape) => files.ReadFourBit(name, shape);

    public Tensor Read(string name, long[] shape)
    {
        if (!pieces.TryGetValue(name, out var linears))
        {
            return files.Read(name, shape);
        }

        return ShapeOps.Cat([.. linears.Select(linear => files.Read(linear, files.ShapeOf(linear)!))]).View(ShapeOf(name)!);
    }
}
