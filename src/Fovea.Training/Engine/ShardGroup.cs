using Fovea.Models;

namespace Fovea.Training.Engine;

/// <summary>The weights that are gathered together, as numbers of elements: a unit of the model, its head, or the rest that is always there.</summary>
/// <param name="Name">Of the unit.</param>
public sealed record ShardGroup(string Name)
{
    /// <summary>Elements of each weight that does not learn.</summary>
    public IReadOnlyList<long> Frozen { get; init; } = [];

    /// <summary>Of each weight of the model that learns.</summary>
    public IReadOnlyList<long> Trained { get; init; } = [];

    /// <summary>Of each matrix of an adapter that learns.</summary>
    public IReadOnlyList<long> Adapters { get; init; } = [];

    /// <summary>It multiplies the final hidden states: the unit of the head, or of the embeddings that it is tied to.</summary>
    public bool IsHead { get; init; }

    /// <summary>It belongs to no unit and is never taken away.</summary>
    public bool IsRest { get; init; }

    /// <summary>Elements of what learns.</summary>
    public long Learning => Trained.Sum() + Adapters.Sum();

    /// <summary>The groups of a model in the order of the forward pass: its units, its head unless tied, and the rest last.</summary>
    public static IReadOnlyList<ShardGroup> Of(VisionLanguageModel model)
    {
        var units = model.Units;
        var head = model.Head;
        var frozen = new List<long>[units.Count + 2];
        var (trained, adapters) = (new List<long>[frozen.Length], new List<long>[frozen.Length]);
        for (var i = 0; i < frozen.Length; i++)
        {
            (frozen[i], trained[i], adapters[i]) = ([], [], []);
        }

        foreach (var parameter in model.Ledger.Parameters)
        {
            (parameter.Trainable ? trained : frozen)[Place(parameter.Name)].Add(parameter.Count);
        }

        foreach (var parameter in model.Ledger.AdapterParameters)
        {
            // An adapter that does not learn is an earlier one, and merged before training starts.
            (parameter.Trainable ? adapters : frozen)[Place(parameter.Name)].Add(parameter.Count);
        }

        var inUnit = Place(head.Name);
        var groups = new List<ShardGroup>();
        for (var i = 0; i < frozen.Length; i++)
        {
            var name = i < units.Count ? units[i].Name : i == units.Count ? "head" : "rest";
            if (i != units.Count || frozen[i].Count + trained[i].Count > 0)
            {
                groups.Add(new ShardGroup(name)
                {
                    Frozen = frozen[i],
                    Trained = trained[i],
                    Adapters = adapters[i],
                    IsHead = i == inUnit,
                    IsRest = i == units.Count + 1,
                });
            }
        }

        return groups;

        int Place(string name)
        {
            for (var i = 0; i < units.Count; i++)
            {
                if (name.StartsWith(units[i].Path + ".", StringComparison.Ordinal))
                {
                    return i;
                }
            }

            return name == head.Name ? units.Count : units.Count + 1;
        }
    }
}
