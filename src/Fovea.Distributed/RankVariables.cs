using System.Globalization;

namespace Fovea.Distributed;

/// <summary>What a launcher passes to each process: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, as torchrun sets them.</summary>
/// <param name="LocalRank">Number among the processes of this host: which GPU is its own.</param>
/// <param name="MasterAddress">Where the store is.</param>
/// <param name="StoreIsServed">Whether the launcher itself serves the store (torchrun's agent does); otherwise rank 0 does.</param>
/// <param name="Prefix">Put before the store's keys, for a launcher's store that outlives one start.</param>
internal sealed record RankVariables(
    int Rank, int WorldSize, int LocalRank, string MasterAddress, int MasterPort, bool StoreIsServed = false, string Prefix = "")
{
    /// <summary>Those of this process; one rank where WORLD_SIZE is absent or 1.</summary>
    /// <exception cref="ConfigException">They contradict one another.</exception>
    public static RankVariables Read() => Read(Environment.GetEnvironmentVariable);

    internal static RankVariables Read(Func<string, string?> variable)
    {
        List<string> problems = [];
        var world = Number("WORLD_SIZE", 1, 1, int.MaxValue);
        if (world == 1 && problems.Count == 0)
        {
            return new RankVariables(0, 1, 0, string.Empty, 0);
        }

        var rank = Number("RANK", null, 0, world - 1);
        var local = Number("LOCAL_RANK", rank, 0, world - 1);
        var port = Number("MASTER_PORT", null, 1, 65535);
        var address = variable("MASTER_ADDR");
        if (string.IsNullOrEmpty(address))
        {
            problems.Add($"MASTER_ADDR is not set: WORLD_SIZE is {world}, so it must name the host of rank 0");
        }

        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        var served = variable("TORCHELASTIC_USE_AGENT_STORE") == "True";
        return new RankVariables(
            rank, world, local, address!, port, served, served ? $"/worker/attempt_{variable("TORCHELASTIC_RESTART_COUNT") ?? "0"}" : string.Empty);

        int Number(string name, int? missing, int low, int high)
        {
            var text = variable(name);
            if (string.IsNullOrEmpty(text))
            {
                if (missing is null)
                {
                    problems.Add(
                        $"{name} is not set: WORLD_SIZE is {variable("WORLD_SIZE")}, so each process needs one; start through torchrun or {StartedAs.Command}");
                }

                return missing ?? low;
            }

            if (!int.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var number) || number < low || number > high)
            {
                problems.Add($"{name} is '{text}'; it must be a number from {low} to {high}");
                return low;
            }

            return number;
        }
    }
}
