using System.CommandLine;
using System.Runtime.InteropServices;
using Fovea.Cli.Views;
using Fovea.Distributed;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea train CONFIG [key=value ...]</c></summary>
public static class TrainVerb
{
    private const int InterruptedExitCode = 130;

    public static Command Create()
    {
        var path = new Argument<string>("config") { Description = "YAML or JSON file with LLaMA-Factory's keys" };
        var overrides = new Argument<string[]>("overrides") { Arity = ArgumentArity.ZeroOrMore, Description = "key=value pairs that replace the file's" };
        var command = new Command(
            "train",
            """
            Fine-tune a model as a configuration says.

              fovea train examples/qwen2_5vl_lora_sft.yaml
              fovea train config.yaml learning_rate=2.0e-4 output_dir=saves/second
              fovea train config.yaml resume_from_checkpoint=true

            Ctrl-C finishes the step, saves a checkpoint and says how to resume (exit code 130); a second Ctrl-C stops at once.
            """)
        {
            path, overrides,
        };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction(result => Run(result.GetValue(path)!, [.. result.GetValue(overrides)!, .. result.UnmatchedTokens]));
        return command;
    }

    private static int Run(string path, string[] overrides)
    {
        var config = TrainConfig.Load(path, overrides);
        var ranks = RankVariables.Read();
        using var mesh = Mesh.Join(ranks, TimeSpan.FromSeconds(config.DdpTimeout), () => ModelSetup.ChooseDevice(config));
        using var stop = new CancellationTokenSource();
        void Stop(PosixSignalContext signal)
        {
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
        var view = mesh.IsMain ? ConsoleView.Create() : new RankView(mesh.Rank, Console.Out);
        return SupervisedFineTune.Run(config, [view], stop.Token, mesh).Interrupted ? InterruptedExitCode : 0;
    }
}
