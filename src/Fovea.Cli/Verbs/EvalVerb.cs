using System.CommandLine;
using System.Globalization;
using Fovea.Launch;
using Fovea.Cli.Views;
using Fovea.Distributed;
using Fovea.Runs.Files;
using Fovea.Training.Config;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea eval</c>: loss, perplexity and token accuracy of a model on held-out samples.</summary>
internal static class EvalVerb
{
    public static Command Create()
    {
        var path = new Argument<string>("CONFIG") { Description = "YAML or JSON file of a training run." }.IsPath();
        var overrides = new Argument<string[]>("KEY=VALUE") { Description = "Overrides for keys of the file.", Arity = ArgumentArity.ZeroOrMore };
        var model = new Option<string?>("--model") { Description = "Model folder; default: the run's own result, else model_name_or_path." }.IsPath();
        var adapter = new Option<string[]>("--adapter")
        {
            Description = "Adapter folder, for instance a checkpoint, instead of the run's own result. May be repeated.",
        }.IsPath();
        var json = ResultFile.Option("Also write the numbers to this file, as JSON, by the names of a run's eval_results.json.");
        var verb = new Command("eval", """
            Evaluate a model on held-out samples: loss, perplexity and token accuracy.

            The samples are eval_dataset, else the val_size split, else dataset. The loss is the mean over trained tokens, perplexity its exponential,
            and token accuracy the fraction of trained tokens that have the largest logit. With eval_on_each_dataset each of eval_dataset has its own
            numbers. Nothing is written but the file of --json.

            Examples:
              fovea eval examples/minimind_v_sft.yaml
              fovea eval mine/run.yaml eval_dataset=mine/held_out.jsonl
              fovea eval mine/run.yaml --model models/Qwen2.5-VL-3B-Instruct
              fovea eval mine/run.yaml --adapter saves/mine/checkpoint-100
              fovea eval mine/run.yaml eval_dataset=easy.jsonl,hard.jsonl eval_on_each_dataset=true --json numbers.json
              NPROC_PER_NODE=2 fovea eval mine/run.yaml          (samples are split; with zero: 3 the weights are sharded too)
            """)
        {
            path, overrides, model, adapter, json,
        };
        verb.SetAction(parsed => RankedRun.Run(
            use => Read(parsed.GetValue(path)!, parsed.GetValue(overrides) ?? [], parsed.GetValue(model), parsed.GetValue(adapter) ?? [], use),
            talks: false, (config, mesh) => Evaluate(config, mesh, parsed.InvocationConfiguration.Output, parsed.GetValue(json)).GetAwaiter().GetResult()));
        return verb;
    }

    /// <summary>The configuration that the command line asks for. A model or adapters that are named stand before the run's own result.</summary>
    internal static TrainConfig Read(string path, string[] overrides, string? model, string[] adapters, ConfigUse use)
    {
        var config = TrainConfig.Load(path, overrides, use);
        var named = model is not null || adapters.Length > 0 || ModelChoice.NamesAdapter(overrides);
        return config with
        {
            Model = config.Model with
            {
                ModelNameOrPath = model ?? config.Model.ModelNameOrPath,
                AdapterNameOrPath = adapters.Length > 0 ? adapters : model is not null ? [] : config.Model.AdapterNameOrPath,
            },
            Run = config.Run with { OutputDir = named ? string.Empty : config.Run.OutputDir },
        };
    }

    private static async Task<int> Evaluate(TrainConfig config, Mesh mesh, TextWriter output, string? json)
    {
        var notes = mesh.IsMain ? Console.Error : TextWriter.Null;
        (config, var source) = ModelChoice.Complete(config, notes, mesh);
        await using var model = await VisionModel.LoadAsync(config, source, fromModel: false, notes.WriteLine, mesh, CancellationToken.None);
        var results = await model.Measure(config, notes.WriteLine);
        if (!mesh.IsMain)
        {
            return 0;
        }

        foreach (var result in results)
        {
            var samples = string.Create(CultureInfo.InvariantCulture, $"{(result.Dataset is { } name ? $"{name}: " : string.Empty)}{result.Samples} samples, ");
            output.WriteLine(EventText.Evaluation(result));
            output.WriteLine(result.Loss is null ? $"{samples}none with a token to predict" : string.Create(
                CultureInfo.InvariantCulture,
                $"{samples}perplexity {result.Metrics["perplexity"]:0.###}, token accuracy {100 * result.Metrics["token_accuracy"]:0.0} %"));
        }

        ResultFile.Save(LogEntries.Measured(results), json);
        return 0;
    }
}
