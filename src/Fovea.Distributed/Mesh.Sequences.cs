using System.Globalization;

namespace Fovea.Distributed;

/// <summary>
/// Neighbouring ranks that split the tokens of one micro-batch among them. Each such group is one data-parallel rank: it has samples of its own, and its ranks
/// read the same ones.
/// </summary>
internal sealed partial class Mesh
{
    /// <summary>Between the ranks that split the tokens of a micro-batch with this one; null where every rank has its own.</summary>
    public SequenceExchange? Sequences { get; private set; }

    /// <summary>Ranks that split the tokens of a micro-batch; 1 where every rank has its own.</summary>
    public int SequenceSize => Sequences?.Size ?? 1;

    /// <summary>Number among those that have samples of their own.</summary>
    public int DataRank => Rank / SequenceSize;

    /// <summary>How many have samples of their own.</summary>
    public int DataSize => WorldSize / SequenceSize;

    /// <summary>Makes groups of neighbouring ranks, once for the life of the mesh. Every rank comes here at the same time.</summary>
    /// <param name="size">Of a group; divides the number of ranks.</param>
    /// <exception cref="ConfigException">An earlier run made groups of another size.</exception>
    /// <exception cref="MeshException">A rank cannot be reached.</exception>
    public void SplitSequences(int size)
    {
        if (size == SequenceSize)
        {
            return;
        }

        if (SequenceSize > 1)
        {
            throw new ConfigException(string.Create(
                CultureInfo.InvariantCulture,
                $"sequence_parallel_size: {size} is not the {SequenceSize} of an earlier run of these processes, whose groups stay connected; "
                + $"start this run in processes of its own, or set {SequenceSize}"));
        }

        if (store is null || WorldSize % size != 0)
        {
            throw new InvalidOperationException($"{WorldSize} ranks cannot split sequences in groups of {size}");
        }

        watch!.Reached("the groups that split sequences");
        var prefix = string.Create(CultureInfo.InvariantCulture, $"{variables.Prefix}/sequences/{Rank / size}");
        using var connection = Rendezvous.Connect(variables with { Prefix = prefix }, Rendezvous.Patience(timeout), serves: false);
        var group = Rendezvous.Open(connection, variables, Rank % size, size, "sequences", device, timeout, hosts);
        Sequences = new SequenceExchange(this, group, size);
    }
}
