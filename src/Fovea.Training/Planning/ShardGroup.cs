using Fovea.Models;
using Fovea.Nn;

namespace Fovea.Training.Planning;

/// <summary>The weights that are gathered together, as numbers of elements: a block of the model, its head, or the rest that is always there.</summary>
/// <param name="Name">Of the block.</param>
internal sealed record ShardGroup(string Name)
{
    /// <summary>Elements of each weight that does not learn.</summary>
    public IReadOnlyList<long> Frozen { get; init; } = [];

    /// <summary>Bytes of each weight that is kept in 4 bits.</summary>
    public IReadOnlyList<long> Packed { get; init; } = [];

    /// <summary>Bytes of the scales of these, which every rank keeps.</summary>
    public long Scales { get; init; }

    /// <summary>Of each weight of the model that learns.</summary>
    public IReadOnlyList<long> Trained { get; init; } = [];

    /// <summary>Of each matrix of an adapter that learns.</summary>
    public IReadOnlyList<long> Adapters { get; init; } = [];

    /// <summary>It multiplies the final hidden states: the head, or the embeddings that it is tied to.</summary>
    public bool IsHead { get; init; }

    /// <summary>It belongs to no block and is never taken away.</summary>
    public bool IsRest { get; init; }

    /// <summary>Elements of what learns.</summary>
    public long Learning => Trained.Sum() + Adapters.Sum();

    /// <summary>The groups of a model in the order of the forward pass: its blocks, its head unless tied to one, and the rest last.</summary>
    public static IReadOnlyList<ShardGroup> Of(VisionLanguageModel model)
    {
        var (ledger, head) = (model.Ledger, model.Head);
        List<ShardGroup> groups =
        [
            .. ledger.Blocks.Select(block => Of(block.Name, [.. block.Parameters, .. block.AdapterParameters]) with { IsHead = block == head.Block }),
        ];
        if (head.Block is null)
        {
            groups.Add(Of("head", [head]) with { IsHead = true });
        }

        var rest = ledger.Parameters.Concat(ledger.AdapterParameters).Where(p => p.Block is null && p != head);
        return [.. groups, Of("rest", [.. rest]) with { IsRest = true }];
    }

    /// <summary>An adapter that does not learn is an earlier one, and merged before training starts.</summary>
    private static ShardGroup Of(string name, IReadOnlyList<Parameter> weights) => new(name)
    {
        Frozen = [.. weights.Where(p => p is { Trainable: false, Packed: null }).Select(p => p.Count)],
        Packed = [.. weights.Where(p => p.Packed is not null).Select(p => p.StoredCount)],
        Scales = weights.Sum(p => p.Packed is { } packed ? packed.ByteCount - p.StoredCount : 0),
        Trained = [.. weights.Where(p => p is { Trainable: true, IsAdapter: false }).Select(p => p.Count)],
        Adapters = [.. weights.Where(p => p is { Trainable: true, IsAdapter: true }).Select(p => p.Count)],
    };
}
