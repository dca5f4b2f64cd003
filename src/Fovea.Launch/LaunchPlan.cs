namespace Fovea.Launch;

/// <summary>What a start of the program means, as the variables around it say.</summary>
internal abstract record LaunchPlan
{
    private LaunchPlan()
    {
    }

    /// <summary>One process, this one.</summary>
    internal sealed record Single : LaunchPlan;

    /// <summary>This process is one of several that something else started.</summary>
    /// <param name="By">What started it: torchrun, Slurm, Kubernetes.</param>
    internal sealed record Rank(RankEnvironment Variables, string By) : LaunchPlan;

    /// <summary>This process starts the ranks of its node and looks after them.</summary>
    /// <param name="Processes">Ranks on this node, and on each other one.</param>
    /// <param name="MasterPort">Null: any free one (one node only).</param>
    internal sealed record Launch(int Processes, int Nodes, int NodeRank, string MasterAddr, int? MasterPort) : LaunchPlan
    {
        public int WorldSize => Processes * Nodes;

        /// <summary>Variables of one of this node's ranks.</summary>
        public RankEnvironment RankOf(int local, int port) =>
            new((NodeRank * Processes) + local, WorldSize, local, Processes, MasterAddr, port);
    }
}
