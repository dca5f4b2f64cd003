using System.Globalization;
using Fovea.Tensors;
using Fovea.Tensors.Collectives;

namespace Fovea.Distributed;

/// <summary>
/// Neighbouring ranks that split the tokens of one micro-batch among them. Each such group is one data-parallel rank: it has samples of its own, and its ranks
/// read the same ones.
/// </summary>
internal sealed partial class Mesh
{
    private ProcessGroup? neighbours;

    /// <summary>Ranks that split the tokens of a micro-batch; 1 where every rank has its own.</summary>
    public int SequenceSize { get; private set; } = 1;

    /// <summary>Number among those that split the same tokens.</summary>
    public int SequenceRank => Rank % SequenceSize;

    /// <summary>Number among those that have samples of their own.</summary>
    public int DataRank => Rank / SequenceSize;

    /// <summary>How many have samples of their own.</summary>
    public int DataSize => WorldSize / SequenceSize;

    /// <summary>Makes groups of neighbouring ranks, once for the life of the mesh. Every rank comes here at the same time.</summary>
    /// <param name="size">Of a group; divides the number of ranks.</param>
    /// <exception cref="MeshException">A rank cannot be reached.</exception>
    public void SplitSequences(int size)
    {
        if (size == SequenceSize)
        {
            return;
        }

        if (SequenceSize > 1 || store is null || WorldSize % size != 0)
        {
            throw new InvalidOperationException($"{WorldSize} ranks in groups of {SequenceSize} cannot split sequences in groups of {size}");
        }

        SequenceSize = size;
        watch!.Reached("the groups that split sequences");
        var prefix = string.Create(CultureInfo.InvariantCulture, $"{variables.Prefix}/sequences/{DataRank}");
        using var connection = Connect(variables with { Prefix = prefix }, timeout < LongestJoin ? timeout : LongestJoin, serves: false);
        neighbours = Open(connection, variables, SequenceRank, size, "sequences", device, timeout, hosts);
    }

    /// <summary>Among the ranks that split the same tokens: part p goes to rank p, and in its place lies what came from rank p.</summary>
    /// <param name="output">As <paramref name="input"/>, contiguous.</param>
    /// <param name="input">Contiguous parts of equal size, as many as ranks.</param>
    internal CollectiveHandle Exchange(Tensor output, Tensor input, string what)
    {
        using var scope = TensorScope.Open("step");
        return Start(CollectiveKind.AllToAll, Bytes(output), Bytes(input), what, amongNeighbours: true);
    }

    /// <summary>The sum of each number over the ranks that split the same tokens.</summary>
    internal double[] SumOfNeighbours(string what, ReadOnlySpan<double> values)
    {
        using var scope = TensorScope.Open("step");
        var numbers = CreateOps.From(values);
        var x = ProcessGroup.HasGloo ? numbers : numbers.To(device);
        Start(CollectiveKind.AllReduce, x, x, what, amongNeighbours: true).Wait();
        return x.ToArray<double>();
    }
}
