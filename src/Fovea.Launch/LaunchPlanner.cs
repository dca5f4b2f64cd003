using System.Globalization;

namespace Fovea.Launch;

/// <summary>
/// Reads the variables of torchrun, LLaMA-Factory, Slurm and Kubeflow. A process that already knows its rank is one; one task or pod on a node
/// that has several GPUs, or is asked for several processes, starts them.
/// </summary>
/// <param name="gpus">Accelerators that this process may use.</param>
/// <param name="processors">Processors that it may use.</param>
/// <param name="restarts">Whether a run that fails is to be started again: then even one process is looked after.</param>
internal sealed class LaunchPlanner(LaunchVariables variables, int gpus, int processors, bool restarts)
{
    private const string Loopback = "127.0.0.1";
    private const int UsualPort = 29500;

    /// <exception cref="ConfigException">The variables contradict each other, or some are missing.</exception>
    public LaunchPlan Resolve()
    {
        var plan = Torchrun() ?? Slurm() ?? Pod() ?? Own();
        variables.Check();
        return plan;
    }

    private LaunchPlan.Rank? Torchrun()
    {
        if (!variables.Has("RANK") || !variables.Has("WORLD_SIZE") || !variables.Has("LOCAL_RANK"))
        {
            return null;
        }

        return Rank(
            variables.Count(0, "RANK"), variables.Count(1, "WORLD_SIZE"), variables.Count(0, "LOCAL_RANK"), variables.Count(1, "LOCAL_WORLD_SIZE"), "torchrun");
    }

    // A batch script runs beside its job's tasks, not as one of them: only srun gives a step.
    private bool InSlurmStep() =>
        variables.Has("SLURM_PROCID") && (variables.Has("SLURM_STEP_ID", "SLURM_STEPID") || variables.Text("ENVIRONMENT") is not "BATCH");

    private LaunchPlan? Slurm()
    {
        var named = variables.Has("NNODES") && variables.Has("NODE_RANK");
        if (named || !InSlurmStep() || variables.Count(1, "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "SLURM_NPROCS") is not (> 1 and var tasks))
        {
            return null;
        }

        var hosts = variables.First("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST");
        var address = variables.First("MASTER_ADDR", "PET_MASTER_ADDR") ?? (hosts is null ? null : SlurmTasks.FirstHost(hosts));
        var port = variables.Port() ?? SlurmTasks.Port(Number("SLURM_JOB_ID", "SLURM_JOBID"), Number("SLURM_STEP_ID", "SLURM_STEPID"));
        var nodes = variables.Count(1, "SLURM_STEP_NUM_NODES", "SLURM_NNODES", "SLURM_JOB_NUM_NODES") ?? 1;
        var node = variables.Count(0, "SLURM_NODEID") ?? 0;
        if (tasks == nodes && (variables.Processes(gpus, processors) ?? gpus) is > 1 and var processes)
        {
            return Launch(processes, nodes, variables.Count(0, "SLURM_PROCID") ?? node, address, port);
        }

        var local = variables.First("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE") is { } list ? SlurmTasks.OfNode(list, node) : null;
        var rank = variables.Count(0, "SLURM_PROCID");
        return Rank(rank, tasks, variables.Count(0, "SLURM_LOCALID") ?? (nodes == 1 ? rank : 0), local ?? tasks / nodes, "Slurm", address, port);
    }

    /// <summary>Kubeflow's PyTorchJob, and others that number pods with <c>RANK</c>.</summary>
    private LaunchPlan? Pod()
    {
        if (!variables.Has("RANK") || !variables.Has("WORLD_SIZE"))
        {
            if (variables.Has("WORLD_SIZE") && variables.Count(1, "WORLD_SIZE") > 1 && !variables.Has("PET_NNODES", "NNODES", "NPROC_PER_NODE"))
            {
                variables.Problem($"WORLD_SIZE is {variables.Text("WORLD_SIZE")} and RANK is not set: give every process both, or set NPROC_PER_NODE alone");
            }

            return null;
        }

        var world = variables.Count(1, "WORLD_SIZE") ?? 1;
        var rank = variables.Count(0, "RANK");
        if (!variables.Has("PET_NNODES", "PET_NPROC_PER_NODE", "NPROC_PER_NODE", "NNODES", "KUBERNETES_SERVICE_HOST", "KUBERNETES_PORT"))
        {
            // Started by hand, one by one. On one machine the GPUs are assigned in turn.
            return Rank(rank, world, rank % Math.Max(1, gpus), null, "RANK and WORLD_SIZE");
        }

        // Old operators count pods in WORLD_SIZE, newer ones processes; RANK numbers pods in all of them.
        var processes = variables.Processes(gpus, processors) ?? Math.Max(1, gpus);
        var counted = variables.Text("PET_NPROC_PER_NODE") is { } text && char.IsAsciiDigit(text[0]) && world % processes == 0;
        var nodes = variables.Nodes() ?? (counted ? world / processes : world);
        var node = variables.Count(0, "NODE_RANK", "PET_NODE_RANK") ?? rank;
        if (processes == 1 && !restarts && !variables.Enabled("FORCE_TORCHRUN"))
        {
            return nodes == 1 ? new LaunchPlan.Single() : Rank(node, nodes, 0, 1, "Kubernetes");
        }

        return Launch(processes, nodes, node ?? 0, variables.First("MASTER_ADDR", "PET_MASTER_ADDR"), variables.Port());
    }

    /// <summary>As LLaMA-Factory: several GPUs, <c>FORCE_TORCHRUN</c> or counts above 1 start ranks.</summary>
    private LaunchPlan Own()
    {
        var nodes = variables.Nodes() ?? Same("MIN_NNODES", "MAX_NNODES") ?? 1;
        var processes = variables.Processes(gpus, processors) ?? Math.Max(1, gpus);
        if (nodes == 1 && processes == 1 && !restarts && !variables.Enabled("FORCE_TORCHRUN"))
        {
            return new LaunchPlan.Single();
        }

        // Once LLaMA-Factory read a node's number from RANK.
        var node = variables.Count(0, "NODE_RANK", "PET_NODE_RANK", "RANK");
        if (nodes > 1 && node is null && variables.Has("RDZV_ID", "PET_RDZV_ID", "PET_RDZV_ENDPOINT"))
        {
            variables.Problem("NODE_RANK is missing: Fovea does not let nodes number themselves; set it to 0, 1, ... on each node");
        }

        var endpoint = variables.Text("PET_RDZV_ENDPOINT")?.Split(':')[0];
        return Launch(processes, nodes, node ?? 0, variables.First("MASTER_ADDR", "PET_MASTER_ADDR") ?? endpoint, variables.Port());
    }

    private int? Same(string least, string most)
    {
        var (a, b) = (variables.Count(1, least), variables.Count(1, most));
        if (a is not null && b is not null && a != b)
        {
            variables.Problem($"{least} is {a} and {most} is {b}: the number of nodes cannot change while a run goes on; set NNODES");
        }

        return a == b ? a : null;
    }

    private LaunchPlan.Launch Launch(int processes, int nodes, int node, string? address, int? port)
    {
        if (node >= nodes)
        {
            variables.Problem($"NODE_RANK is {node}: with {nodes} node{(nodes == 1 ? "" : "s")} it must be below {nodes}");
        }

        if (nodes > 1 && address is null)
        {
            variables.Problem($"MASTER_ADDR is missing: {nodes} nodes meet at the address of node 0; set it to the same on each");
        }

        return new LaunchPlan.Launch(processes, nodes, node, address ?? Loopback, port ?? (nodes > 1 ? UsualPort : null));
    }

    private LaunchPlan.Rank Rank(int? rank, int? world, int? local, int? localWorld, string by, string? address = null, int? port = null)
    {
        if (rank >= world)
        {
            variables.Problem($"RANK is {rank}: with WORLD_SIZE {world} it must be below {world}");
        }

        if ((address ??= variables.First("MASTER_ADDR", "PET_MASTER_ADDR")) is null && world > 1 && localWorld != world)
        {
            variables.Problem("MASTER_ADDR is missing: the ranks meet at the address of rank 0's host");
        }

        var named = new RankEnvironment(rank ?? 0, world ?? 1, local ?? 0, localWorld ?? Math.Min(world ?? 1, Math.Max(1, gpus)), address ?? Loopback,
            port ?? variables.Port() ?? UsualPort);
        return new LaunchPlan.Rank(named, by);
    }

    private long Number(params ReadOnlySpan<string> names) =>
        long.TryParse(variables.First(names), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
}
