using System.Globalization;

namespace Fovea.Launch;

/// <summary>Which of several processes this one is, as torchrun says it.</summary>
/// <param name="Rank">0 to <paramref name="WorldSize"/> - 1, over all nodes.</param>
/// <param name="LocalRank">The same within its node.</param>
/// <param name="LocalWorldSize">Processes of its node.</param>
/// <param name="MasterAddr">Host of rank 0, where all meet.</param>
internal sealed record RankEnvironment(int Rank, int WorldSize, int LocalRank, int LocalWorldSize, string MasterAddr, int MasterPort)
{
    /// <summary>Names and values for the environment of the process.</summary>
    public IEnumerable<(string Name, string Value)> Variables =>
    [
        ("RANK", Text(Rank)), ("WORLD_SIZE", Text(WorldSize)), ("LOCAL_RANK", Text(LocalRank)), ("LOCAL_WORLD_SIZE", Text(LocalWorldSize)),
        ("MASTER_ADDR", MasterAddr), ("MASTER_PORT", Text(MasterPort)),
    ];

    /// <summary>Makes this process that rank.</summary>
    public void Export()
    {
        foreach (var (name, value) in Variables)
        {
            Environment.SetEnvironmentVariable(name, value);
        }
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
