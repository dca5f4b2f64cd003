using System.CommandLine;
using System.Runtime.InteropServices;
using Fovea.Cli.Views;
using Fovea.Distributed;
using Fovea.Launch;
using Fovea.Running;
using Fovea.Training.Config;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea predict</c>: answers to held-out samples, with scores and a page to look at them.</summary>
internal static class PredictVerb
{
    private const int InterruptedExitCode = 130;

    public static Command Create()
    {
        var path = new Argument<string>("CONFIG") { Description = "YAML or JSON file of a training run, or of a prediction." }.IsPath();
        var overrides = new Argument<string[]>("KEY=VALUE") { Description = "Overrides for keys of the file.", Arity = ArgumentArity.ZeroOrMore };
        var model = new Option<string?>("--model") { Description = "Model folder; default: the run's own result, else model_name_or_path." }.IsPath();
        var adapter = new Option<string[]>("--adapter")
        {
            Description = "Adapter folder, for instance a checkpoint, instead of the run's own result. May be repeated.",
        }.IsPath();
        var again = new Option<bool>("--again") { Description = "Answer anew what is answered already." };
        var verb = new Command("predict", """
            Answer held-out samples and score the answers.

            The samples are eval_dataset, else the val_size split. Written to output_dir: generated_predictions.jsonl and predict_results.json as
            LLaMA-Factory writes them, and predictions.html with images, answers and scores, worst first. Answers are kept as they come: after
            Ctrl-C or a crash the same command goes on.

            Examples:
              fovea predict mine/run.yaml
              fovea predict mine/run.yaml eval_dataset=mine/held_out.jsonl max_samples=100 do_sample=false
              fovea predict mine/run.yaml --adapter saves/mine/checkpoint-100 output_dir=saves/mine-100
              NPROC_PER_NODE=2 fovea predict mine/run.yaml          (samples are split; with zero: 3 the weights are sharded instead)
            """)
        {
            path, overrides, model, adapter, again,
        };
        verb.SetAction(parsed =>
        {
            var output = string.Empty;
            return RankedRun.Run(use => Read(use), talks: false, (config, mesh) => Answer(config, output, mesh, parsed.GetValue(again)));

            TrainConfig Read(ConfigUse use)
            {
                var words = parsed.GetValue(overrides) ?? [];
                output = TrainConfig.Load(parsed.GetValue(path)!, words, use).Run.OutputDir;
                return EvalVerb.Read(parsed.GetValue(path)!, words, parsed.GetValue(model), parsed.GetValue(adapter) ?? [], use);
            }
        });
        return verb;
    }

    /// <param name="output">The folder for the answers, wherever the model is from.</param>
    private static int Answer(TrainConfig config, string output, Mesh mesh, bool again)
    {
        // A file that only predicts names its adapters; its folder holds no run.
        config = config.Run.DoTrain ? config : config with { Run = config.Run with { OutputDir = string.Empty } };
        (config, var source) = ModelChoice.Complete(config, mesh.IsMain ? Console.Error : TextWriter.Null, mesh);
        using var stop = new CancellationTokenSource();
        using var interrupt = mesh.WorldSize > 1 ? null : PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = mesh.WorldSize > 1 ? null : PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        var view = mesh.IsMain ? ConsoleView.Create() : new RankView(mesh.Rank, Console.Out);
        config = config with { Run = config.Run with { OutputDir = output } };
        return Prediction.Run(config, source, [view], mesh, again, stop.Token) ? 0 : InterruptedExitCode;

        // The first signal asks; a second one ends the process as usual.
        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = !stop.IsCancellationRequested;
            stop.Cancel();
        }
    }
}
