namespace Fovea.Launch;

/// <summary>Starts the ranks of this node, looks after them, and starts them again where that is wanted.</summary>
internal sealed class Launcher
{
    private const int PortAttempts = 5;
    private readonly LaunchPlan.Launch plan;
    private readonly LaunchJob job;
    private readonly StopRequest stop;
    private readonly RankLogs logs;

    private Launcher(LaunchPlan.Launch plan, LaunchJob job, StopRequest stop, RankLogs logs)
    {
        this.plan = plan;
        this.job = job;
        this.stop = stop;
        this.logs = logs;
    }

    /// <summary>Runs to the end.</summary>
    /// <returns>The exit code of the worst rank.</returns>
    /// <exception cref="ConfigException">The port that was asked for is not free.</exception>
    public static int Run(LaunchPlan.Launch plan, LaunchJob job)
    {
        if (plan is { MasterPort: { } port, NodeRank: 0 } && Ports.Trouble(port) is { } trouble)
        {
            throw new ConfigException($"MASTER_PORT is {port}: {trouble}; end what listens there, name another port, or leave it out on a single node");
        }

        using var stop = new StopRequest();
        using var logs = new RankLogs(Enumerable.Range(plan.NodeRank * plan.Processes, plan.Processes), job.OutputDir);
        logs.Open();
        var launcher = new Launcher(plan, job, stop, logs);
        var code = 1;
        Exception? fault = null;
        // The ranks end when the thread that started them ends: a thread of a pool may end at any time.
        var thread = new Thread(() =>
        {
            try
            {
                code = launcher.Supervise();
            }
            catch (Exception e)
            {
                fault = e;
            }
        });
        thread.Start();
        thread.Join();
        return fault is null ? code : throw new IOException($"the ranks could not be looked after: {fault.Message}", fault);
    }

    private int Supervise()
    {
        var policy = new RestartPolicy(job.MaxRestarts);
        var arguments = job.Arguments;
        var ports = 0;
        Greet();
        while (true)
        {
            var before = job.Progress();
            var result = RankGroup.Run(plan, job, arguments, plan.MasterPort ?? Ports.Free(), policy.Count, logs, stop);
            RestoreTerminal(result);
            if (result.Culprit is null || result.Asked)
            {
                return End(result);
            }

            if (plan.MasterPort is null && result.PortTaken && ++ports < PortAttempts)
            {
                Say("another program took the port that the ranks were to meet at; trying another one");
                continue;
            }

            var progressed = job.Progress() != before;
            var (pause, giveUp) = policy.Next(result.Code, result.Lasted, progressed);
            Report(result, policy, giveUp);
            if (giveUp is not null)
            {
                return result.Code;
            }

            var (next, how) = job.Again?.Invoke() ?? (arguments, "from the beginning");
            arguments = next;
            Say($"restart {policy.Count} of {job.MaxRestarts} in {pause.TotalSeconds:0} s, {how}");
            if (stop.Wait(pause))
            {
                return result.Code;
            }
        }
    }

    private void Greet()
    {
        var first = plan.NodeRank * plan.Processes;
        var others = plan.NodeRank == 0 ? first + 1 : first;
        var last = first + plan.Processes - 1;
        var where = last < others ? string.Empty : $"; {(others == last ? $"rank {last} prints" : $"ranks {others} to {last} print")} into {logs.Folder}";
        var node = plan.Nodes == 1 ? string.Empty : $" on node {plan.NodeRank} of {plan.Nodes}, meeting at {plan.MasterAddr}:{plan.MasterPort}";
        Say($"starting {plan.Processes} process{(plan.Processes == 1 ? "" : "es")}{node}{where}");
    }

    private int End(GroupResult result)
    {
        if (result.Culprit is null && result.Code == 0)
        {
            logs.Settle(finished: true);
        }
        else if (result.Overdue)
        {
            var late = string.Join(", ", result.Exits.Where(exit => exit.Killed).Select(exit => exit.Rank));
            Console.Error.WriteLine($"error: rank {late} did not end within {job.Grace.TotalSeconds:0} seconds of the request to stop, and was killed");
        }
        else if (result.Culprit is { } culprit && result.Code != RankExit.Interrupted)
        {
            Console.Error.WriteLine($"error: while stopping, {Describe(culprit)}");
        }

        return result.Code;
    }

    private void Report(GroupResult result, RestartPolicy policy, string? giveUp)
    {
        var culprit = result.Culprit!;
        var others = plan.WorldSize == 1 ? string.Empty : result.Exits.Any(exit => exit.Killed) ? "; the other ranks were ended" : string.Empty;
        if (!result.Refused)
        {
            Console.Error.WriteLine($"error: {Describe(culprit)}{others}");
        }

        var tail = culprit.Tail.Where(line => !result.Shows(line)).ToList();
        if (culprit.Rank != 0 && tail.Count > 0)
        {
            Console.Error.WriteLine($"  the end of {logs[culprit.Rank % plan.Processes].Path}:");
            foreach (var line in tail)
            {
                Console.Error.WriteLine($"    {line}");
            }
        }

        if (giveUp is not null && job.MaxRestarts > 0)
        {
            Console.Error.WriteLine($"error: the run was not started again: {giveUp}");
        }
        else if (policy.Count == 0 && plan.Processes > 1)
        {
            Console.Error.WriteLine($"  logs of all ranks: {Path.GetDirectoryName(logs[0].Path)}");
        }
    }

    private static string Describe(RankExit exit) =>
        $"rank {exit.Rank} on {Environment.MachineName} (process {exit.Process}) {exit.Cause} after {exit.After.TotalSeconds:0.0} s";

    /// <summary>A view that was killed has left the cursor hidden.</summary>
    private static void RestoreTerminal(GroupResult result)
    {
        if (!Console.IsOutputRedirected && result.Exits.Any(exit => exit.Rank == 0 && exit.Code > RankExit.Interrupted))
        {
            Console.Out.Write("\e[?25h");
        }
    }

    private static void Say(string text) => Console.Error.WriteLine($"fovea: {text}");
}
