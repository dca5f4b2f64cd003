using System.CommandLine;
using System.CommandLine.Parsing;
using System.Runtime.InteropServices;
using Fovea.Cli.Views;
using Fovea.Distributed;
using Fovea.Launch;
using Fovea.Running;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea train CONFIG [key=value ...]</c></summary>
internal static class TrainVerb
{
    private const int InterruptedExitCode = 130;

    public static Command Create()
    {
        var path = new Argument<string?>("config") { Arity = ArgumentArity.ZeroOrOne, Description = "YAML or JSON file with LLaMA-Factory's keys" }.IsPath();
        var overrides = new Argument<string[]>("overrides") { Arity = ArgumentArity.ZeroOrMore, Description = "key=value overrides for the file's keys" };
        var command = new Command(
            "train",
            """
            Fine-tune a model as specified by a configuration.

              fovea train examples/qwen2_5vl_lora_sft.yaml
              fovea train config.yaml learning_rate=2.0e-4 output_dir=saves/second
              fovea train config.yaml resume_from_checkpoint=true
              fovea train --model_name_or_path models/MiniCPM-V-2_6 --data_path data.json --use_lora true --tune_llm false --output_dir output/v26
              NPROC_PER_NODE=2 fovea train config.yaml max_restarts=3
              NPROC_PER_NODE=8 NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 MASTER_PORT=29500 fovea train config.yaml
              torchrun --no-python --nproc-per-node 2 ./fovea train config.yaml

            The default is one process per GPU. FORCE_TORCHRUN, NPROC_PER_NODE, NNODES, NODE_RANK, MASTER_ADDR, MASTER_PORT and MAX_RESTARTS
            have the same meaning as in LLaMA-Factory; the variables of torchrun, Slurm and Kubeflow are read too: docs/many-processes.md.
            Ctrl-C finishes the step, saves a checkpoint and prints how to resume (exit code 130); a second Ctrl-C stops at once.
            """)
        {
            path, overrides,
        };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction(result => Run(result.GetValue(path), [.. result.GetValue(overrides)!, .. result.UnmatchedTokens], result.Tokens));
        return command;
    }

    private static int Run(string? path, string[] overrides, IReadOnlyList<Token> tokens)
    {
        // The arguments of OpenBMB's scripts stand without a file; the first value after a dash is not one then.
        string[] all = [.. tokens.Select(token => token.Value).SkipWhile(token => token != "train").Skip(1)];
        var config = all is [var first, ..] && first.StartsWith("--", StringComparison.Ordinal) ? TrainConfig.Parse(string.Empty, "command line", all)
            : path is not null ? TrainConfig.Load(path, overrides)
            : throw new ConfigException("no configuration is named: give a file, or the arguments of the official scripts (fovea train --help)");
        HubResult.CheckPush(config);
        var variables = LaunchVariables.FromEnvironment();
        var restarts = TrainJob.Restarts(config, variables);
        var plan = new LaunchPlanner(variables, Resources.Gpus(config.Model.UseCpu), Resources.Processors(variables), restarts > 0).Resolve();
        using var stop = new CancellationTokenSource();
        try
        {
            if (plan is LaunchPlan.Launch launch)
            {
                config.CheckRanks(launch.WorldSize);
                Fetch(config, stop);
                return Launcher.Run(launch, TrainJob.Create(config, [.. Environment.GetCommandLineArgs().Skip(1)], variables, launch.Processes));
            }

            (plan as LaunchPlan.Rank)?.Variables.Export();
            return Train(config, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // A run that has begun saves what it has.
            Console.Error.WriteLine("\nstopped while files were fetched; the same command goes on from here");
            return InterruptedExitCode;
        }
    }

    private static int Train(TrainConfig config, CancellationTokenSource stop)
    {
        var ranks = RankVariables.Read();
        config.CheckRanks(ranks.WorldSize);
        using var mesh = Mesh.Join(ranks, TimeSpan.FromSeconds(config.Parallel.DdpTimeout), () => ModelSetup.ChooseDevice(config));
        void Stop(PosixSignalContext signal)
        {
            // A launcher asks with SIGTERM, reports it, and kills what does not exit. Ctrl-C reaches its ranks too, and is not theirs.
            if (RankStart.Launched)
            {
                signal.Cancel = true;
                if (signal.Signal is PosixSignal.SIGTERM)
                {
                    stop.Cancel();
                }

                return;
            }

            // The first signal asks; a second one ends the process as usual.
            signal.Cancel = !stop.IsCancellationRequested;
            if (signal.Cancel)
            {
                stop.Cancel();
            }

            if (signal.Cancel && mesh.IsMain)
            {
                Console.Error.WriteLine("\nstopping: the step is finished and saved first; once more stops at once");
            }
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        try
        {
            config = HubNames.Locate(config, mesh, mesh.IsMain ? FetchProgress.On(Console.Error) : null, cancel: stop.Token);
        }
        catch (Exception e)
        {
            mesh.Fail(e);
            throw;
        }

        var view = mesh.IsMain ? ConsoleView.Create() : new RankView(mesh.Rank, Console.Out);
        return FineTune.Of(config).Run([view], stop.Token, mesh, Console.Error.WriteLine).Interrupted ? InterruptedExitCode : 0;
    }

    /// <summary>Once, before any rank waits for another.</summary>
    private static void Fetch(TrainConfig config, CancellationTokenSource stop)
    {
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        HubNames.Locate(config, progress: FetchProgress.On(Console.Error), cancel: stop.Token);
    }
}
