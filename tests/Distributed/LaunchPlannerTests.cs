using Fovea.Launch;

namespace Fovea.Tests.Distributed;

/// <summary>What the variables of other launchers mean.</summary>
public sealed class LaunchPlannerTests
{
    [Fact]
    public void Nothing_set_on_a_machine_with_one_card_or_none_is_one_process()
    {
        Assert.IsType<LaunchPlan.Single>(Plan(""));
        Assert.IsType<LaunchPlan.Single>(Plan("", gpus: 1));
        Assert.IsType<LaunchPlan.Single>(Plan("NPROC_PER_NODE=1", gpus: 8));
        Assert.IsType<LaunchPlan.Single>(Plan("MASTER_PORT=29500 MASTER_ADDR=elsewhere LOCAL_RANK=0"));
    }

    [Fact]
    public void Several_cards_are_several_processes() => Assert.Equal(new LaunchPlan.Launch(4, 1, 0, "127.0.0.1", null), Plan("", gpus: 4));

    [Theory]
    [InlineData("1", true)]
    [InlineData("true", true)]
    [InlineData("Y", true)]
    [InlineData("0", false)]
    [InlineData("no", false)]
    public void FORCE_TORCHRUN_launches_even_one_process(string value, bool launches) =>
        Assert.Equal(launches ? new LaunchPlan.Launch(1, 1, 0, "127.0.0.1", null) : new LaunchPlan.Single(), Plan($"FORCE_TORCHRUN={value}"));

    [Fact]
    public void Restarts_need_a_launcher_even_for_one_process() =>
        Assert.Equal(new LaunchPlan.Launch(1, 1, 0, "127.0.0.1", null), Plan("", restarts: true));

    [Fact]
    public void LLaMA_Factorys_variables_say_nodes_and_processes()
    {
        var launch = new LaunchPlan.Launch(2, 3, 1, "10.0.0.1", 29501);
        Assert.Equal(launch, Plan("FORCE_TORCHRUN=1 NNODES=3 NODE_RANK=1 NPROC_PER_NODE=2 MASTER_ADDR=10.0.0.1 MASTER_PORT=29501"));
        Assert.Equal(launch, Plan("NNODES=3 RANK=1 NPROC_PER_NODE=2 MASTER_ADDR=10.0.0.1 MASTER_PORT=29501"));
        Assert.Equal(launch, Plan("MIN_NNODES=3 MAX_NNODES=3 NODE_RANK=1 NPROC_PER_NODE=2 MASTER_ADDR=10.0.0.1 MASTER_PORT=29501 RDZV_ID=7"));
        Assert.Equal(new RankEnvironment(3, 6, 1, 2, "10.0.0.1", 29501), launch.RankOf(1, 29501));
        Assert.Equal(new LaunchPlan.Launch(1, 2, 0, "a", 29500), Plan("NNODES=2 MASTER_ADDR=a"));
    }

    [Theory]
    [InlineData("auto", 0, 1)]
    [InlineData("auto", 4, 4)]
    [InlineData("gpu", 4, 4)]
    [InlineData("cpu", 4, 6)]
    public void Processes_may_be_said_in_words(string words, int gpus, int processes) =>
        Assert.Equal(processes, Assert.IsType<LaunchPlan.Launch>(Plan($"FORCE_TORCHRUN=1 NPROC_PER_NODE={words}", gpus)).Processes);

    [Theory]
    [InlineData("NPROC_PER_NODE=two", "NPROC_PER_NODE is two")]
    [InlineData("NPROC_PER_NODE=0", "NPROC_PER_NODE is 0")]
    [InlineData("NPROC_PER_NODE=gpu", "no GPU is found")]
    [InlineData("NNODES=2", "MASTER_ADDR is missing")]
    [InlineData("NNODES=2 NODE_RANK=2 MASTER_ADDR=a", "NODE_RANK is 2")]
    [InlineData("NNODES=2 RDZV_ID=1 MASTER_ADDR=a", "NODE_RANK is missing")]
    [InlineData("NNODES=1:4 MASTER_ADDR=a", "the number of nodes cannot change")]
    [InlineData("MIN_NNODES=1 MAX_NNODES=4 MASTER_ADDR=a", "the number of nodes cannot change")]
    [InlineData("NPROC_PER_NODE=2 MASTER_PORT=70000", "ports end at 65535")]
    [InlineData("RANK=2 WORLD_SIZE=2 LOCAL_RANK=0", "RANK is 2")]
    [InlineData("RANK=-1 WORLD_SIZE=2 LOCAL_RANK=0", "RANK is -1")]
    [InlineData("RANK=1 WORLD_SIZE=2 LOCAL_RANK=0 LOCAL_WORLD_SIZE=1", "MASTER_ADDR is missing")]
    [InlineData("WORLD_SIZE=2", "WORLD_SIZE is 2 and RANK is not set")]
    public void What_cannot_be_meant_is_refused_by_name(string variables, string problem) =>
        Assert.Contains(problem, Assert.Throws<ConfigException>(() => Plan(variables)).Message);

    [Fact]
    public void Torchruns_ranks_are_ranks_whatever_else_is_set() => Assert.Equal(
        new LaunchPlan.Rank(new RankEnvironment(3, 4, 1, 2, "host", 29400), "torchrun"),
        Plan("RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 LOCAL_WORLD_SIZE=2 MASTER_ADDR=host MASTER_PORT=29400 SLURM_PROCID=0 SLURM_NTASKS=2 NPROC_PER_NODE=2", gpus: 2));

    [Fact]
    public void Ranks_started_by_hand_share_out_the_cards() =>
        Assert.Equal(new RankEnvironment(3, 4, 1, 2, "host", 29400), Rank("RANK=3 WORLD_SIZE=4 MASTER_ADDR=host MASTER_PORT=29400", gpus: 2));

    [Fact]
    public void Slurms_tasks_are_ranks()
    {
        var step = "SLURM_NTASKS=8 SLURM_NNODES=2 SLURM_TASKS_PER_NODE=4(x2) SLURM_JOB_NODELIST=gpu[07-08] SLURM_JOB_ID=11 SLURM_STEP_ID=0";
        Assert.Equal(new RankEnvironment(6, 8, 2, 4, "gpu07", 15077), Rank($"{step} SLURM_PROCID=6 SLURM_LOCALID=2 SLURM_NODEID=1", gpus: 4));
        Assert.Equal(
            new RankEnvironment(0, 8, 0, 4, "head", 9999),
            Rank($"{step} SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 MASTER_ADDR=head MASTER_PORT=9999 FORCE_TORCHRUN=1", gpus: 4));
        // Nobody said where: one after the other on one node.
        Assert.Equal(new RankEnvironment(1, 2, 1, 2, "127.0.0.1", 15000), Rank("SLURM_PROCID=1 SLURM_NTASKS=2"));
    }

    [Fact]
    public void One_Slurm_task_a_node_with_several_cards_starts_their_ranks()
    {
        var job = "SLURM_NTASKS=2 SLURM_NNODES=2 SLURM_TASKS_PER_NODE=1(x2) SLURM_NODELIST=a1,b1 SLURM_JOB_ID=11";
        var step = $"{job} SLURM_STEP_ID=3 SLURM_PROCID=1 SLURM_NODEID=1";
        Assert.Equal(new LaunchPlan.Launch(8, 2, 1, "a1", 15080), Plan(step, gpus: 8));
        Assert.Equal(new LaunchPlan.Launch(3, 2, 1, "a1", 15080), Plan($"{step} NPROC_PER_NODE=3"));
        Assert.Equal(new RankEnvironment(1, 2, 0, 1, "a1", 15080), Rank(step, gpus: 1));
        Assert.Equal(new LaunchPlan.Launch(4, 2, 0, "m", 1234), Plan($"{step} NPROC_PER_NODE=4 NNODES=2 NODE_RANK=0 MASTER_ADDR=m MASTER_PORT=1234"));
    }

    [Fact]
    public void A_batch_script_of_Slurm_is_no_task() =>
        Assert.IsType<LaunchPlan.Single>(Plan("ENVIRONMENT=BATCH SLURM_PROCID=0 SLURM_NTASKS=8 SLURM_JOB_ID=11 SLURM_NODELIST=n1"));

    [Theory]
    [InlineData("gpu[07-09,12],login", "gpu07")]
    [InlineData("n1,n2", "n1")]
    [InlineData("rack[3,5]-node[10-12].local,x", "rack3-node10.local")]
    [InlineData("alone", "alone")]
    public void The_first_host_of_Slurms_list(string list, string host) => Assert.Equal(host, SlurmTasks.FirstHost(list));

    [Theory]
    [InlineData("2(x3),1", 2, 2)]
    [InlineData("2(x3),1", 3, 1)]
    [InlineData("4", 0, 4)]
    [InlineData("4", 1, null)]
    [InlineData("four", 0, null)]
    public void Tasks_of_a_node_in_Slurms_list(string list, int node, int? tasks) => Assert.Equal(tasks, SlurmTasks.OfNode(list, node));

    [Fact]
    public void Kubeflows_pods_of_one_process_are_ranks()
    {
        var pod = "KUBERNETES_SERVICE_HOST=10.0.0.1 MASTER_ADDR=job-master-0 MASTER_PORT=23456";
        var rank = new RankEnvironment(1, 3, 0, 1, "job-master-0", 23456);
        Assert.Equal(rank, Rank($"{pod} RANK=1 WORLD_SIZE=3"));
        Assert.Equal(rank, Rank($"{pod} RANK=1 WORLD_SIZE=3 PET_NNODES=3 PET_NODE_RANK=1 PET_NPROC_PER_NODE=auto"));
        Assert.IsType<LaunchPlan.Single>(Plan($"{pod} RANK=0 WORLD_SIZE=1"));
    }

    [Fact]
    public void Kubeflows_pods_of_several_processes_start_them()
    {
        var launch = new LaunchPlan.Launch(4, 2, 1, "job-master-0", 23456);
        var pod = "KUBERNETES_SERVICE_HOST=10.0.0.1 MASTER_ADDR=job-master-0 MASTER_PORT=23456";
        // The first operators count pods.
        Assert.Equal(launch, Plan($"{pod} RANK=1 WORLD_SIZE=2", gpus: 4));
        Assert.Equal(launch, Plan($"{pod} RANK=1 WORLD_SIZE=2 NPROC_PER_NODE=4"));
        // Later ones count processes and give torchrun's own variables.
        Assert.Equal(launch, Plan($"{pod} RANK=1 WORLD_SIZE=8 PET_NPROC_PER_NODE=4 PET_NNODES=2 PET_NODE_RANK=1"));
        Assert.Equal(launch, Plan($"{pod} RANK=1 WORLD_SIZE=8 PET_NPROC_PER_NODE=4"));
        // The trainer of version 2 gives those alone.
        Assert.Equal(
            launch,
            Plan("PET_NNODES=2 PET_NPROC_PER_NODE=4 PET_NODE_RANK=1 PET_MASTER_ADDR=job-master-0 PET_MASTER_PORT=23456 KUBERNETES_SERVICE_HOST=10.0.0.1"));
    }

    [Fact]
    public void Threads_are_shared_out_unless_the_user_chose()
    {
        Assert.Equal(2, Resources.Threads(Variables("FOVEA_THREADS=8 OMP_NUM_THREADS=8"), 4));
        Assert.Equal(1, Resources.Threads(Variables("FOVEA_THREADS=2 OMP_NUM_THREADS=2"), 4));
        Assert.Null(Resources.Threads(Variables("OMP_NUM_THREADS=8"), 4));
        Assert.Equal(Math.Max(1, Environment.ProcessorCount / 2), Resources.Threads(Variables(""), 2));
    }

    private static LaunchPlan Plan(string variables, int gpus = 0, bool restarts = false) =>
        new LaunchPlanner(Variables(variables), gpus, processors: 6, restarts).Resolve();

    private static RankEnvironment Rank(string variables, int gpus = 0) => Assert.IsType<LaunchPlan.Rank>(Plan(variables, gpus)).Variables;

    private static LaunchVariables Variables(string text) => new(text.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .Select(pair => pair.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]));
}
