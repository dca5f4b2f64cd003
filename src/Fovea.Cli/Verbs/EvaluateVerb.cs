using System.CommandLine;
using Fovea.Cli.Views;
using Fovea.Distributed;
using Fovea.Evaluation;
using Fovea.Evaluation.Custom;
using Fovea.Evaluation.Results;
using Fovea.Evaluation.Running;
using Fovea.Launch;
using Fovea.Training.Config;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea evaluate</c>: benchmarks of answers: asks a model, or scores answers that were made elsewhere.</summary>
internal static class EvaluateVerb
{
    private const int Interrupted = 130;

    private static readonly Argument<string?> Name = new("BENCHMARK")
    {
        Description = "Name of the benchmark, or custom; without it, all are listed.", Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Data = new Option<string?>("--data") { Description = "The benchmark's file, or the folder of its files." }.IsPath();
    private static readonly Option<string?> Questions = new Option<string?>("--questions") { Description = "Official file of questions (VQA)." }.IsPath();
    private static readonly Option<string?> Annotations = new Option<string?>("--annotations") { Description = "Official file of expected answers." }.IsPath();
    private static readonly Option<string?> Images = new Option<string?>("--images") { Description = "Folder of images; default: beside the file." }.IsPath();
    private static readonly Option<string?> Prompt = new("--prompt") { Description = "Replaces the recommended prompt; {question} stands for the question." };
    private static readonly Option<string?> Predictions = new Option<string?>("--predictions")
    {
        Description = "Score these answers instead of asking a model; no model is loaded.",
    }.IsPath();

    private static readonly Option<bool> AllowMissing = new("--allow-missing") { Description = "Score the items that have answers; the others are left out." };
    private static readonly Option<int?> Limit = new("--limit") { Description = "Ask only the first N items of the files." };
    private static readonly Option<string?> Output = new Option<string?>("--output")
    {
        Description = "Folder for answers, predictions, results.json and report.html. A run that was stopped goes on from there.",
    }.IsPath();

    private static readonly Option<string?> Json = ResultFile.Option("Also write metrics and samples to this file, as JSON.");
    private static readonly Option<string[]> Compare = new Option<string[]>("--compare")
    {
        Description = "Compare two results (folders or JSON files): differences, a paired test, and the answers that changed.",
        Arity = new ArgumentArity(2, 2), AllowMultipleArgumentsPerToken = true,
    }.IsPath();

    private static readonly Option<string?> Metric = new("--metric") { Description = $"Of custom rows: {string.Join(", ", CustomMetric.Names)}." };
    private static readonly Option<string[]> MetricArg = new("--metric-arg") { Description = "Setting of the metric, as key=value. May be repeated." };
    private static readonly Option<string?> Model = new Option<string?>("--model") { Description = "Model folder." }.IsPath();
    private static readonly Option<string[]> Adapter = new Option<string[]>("--adapter") { Description = "Adapter folder. May be repeated." }.IsPath();
    private static readonly Option<string?> Config = new Option<string?>("--config")
    {
        Description = "YAML or JSON file of a training run: its result is asked unless --model or --adapter is given.",
    }.IsPath();

    private static readonly Option<InferDtype?> Dtype = ModelChoice.Dtype();
    private static readonly Option<int?> MaxNewTokens = new("--max-new-tokens") { Description = "Maximum answer length in tokens; default: the benchmark's." };
    private static readonly Option<bool> Cpu = new("--cpu") { Description = "Use the CPU even if a GPU is found." };

    public static Command Create()
    {
        var verb = new Command("evaluate", """
            Evaluate a model's answers on a benchmark, or score answers that were made elsewhere.

            Answers are greedy. Printed are the metrics with 95 % bootstrap intervals, the rule that scored them and the prompt that was used.

            Examples:
              fovea evaluate                                   (lists the benchmarks and their files)
              fovea evaluate pope --data pope/ --model models/Qwen2.5-VL-3B-Instruct --adapter saves/mine --output results/mine
              fovea evaluate okvqa --questions Q.json --annotations A.json --predictions R.json
              fovea evaluate custom --data rows.jsonl --metric numeric --metric-arg tolerance=0.01 --model models/mine --limit 200
              fovea evaluate --compare results/base results/mine
              NPROC_PER_NODE=2 fovea evaluate coherence --model models/mine --output results/mine     (questions are split over processes)
            """)
        {
            Name, Data, Questions, Annotations, Images, Prompt, Predictions, AllowMissing, Limit, Output, Json, Compare, Metric, MetricArg, Model, Adapter,
            Config, Dtype, MaxNewTokens, Cpu,
        };
        Limit.Validators.Add(given => Positive(given.GetValueOrDefault<int?>(), "--limit"));
        MaxNewTokens.Validators.Add(given => Positive(given.GetValueOrDefault<int?>(), "--max-new-tokens"));
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult parsed)
    {
        var output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(Compare) is [var first, var second])
        {
            output.Write(ResultText.Of(new Comparison(SavedResult.Read(first), SavedResult.Read(second))));
            return 0;
        }

        if (parsed.GetValue(Name) is not { } name)
        {
            output.Write(BenchmarkList.Text());
            return 0;
        }

        var request = Request(parsed, name);
        if (request.Output is { } folder)
        {
            WriteTarget.Folder(folder, "--output");
        }

        return request.Predictions is not null
            ? Show(request, PredictionScoring.Run(request), output)
            : RankedRun.Run(use => Read(parsed, use), talks: false, (config, mesh) => Ask(request, config, mesh, output).GetAwaiter().GetResult());
    }

    private static EvaluationRequest Request(ParseResult parsed, string name) => EvaluationRequest.Of(name, parsed.GetValue(Data), new BenchmarkOptions
    {
        Questions = parsed.GetValue(Questions),
        Annotations = parsed.GetValue(Annotations),
        Images = parsed.GetValue(Images),
        Prompt = parsed.GetValue(Prompt),
        Limit = parsed.GetValue(Limit),
        MaxNewTokens = parsed.GetValue(MaxNewTokens),
        Output = parsed.GetValue(Output),
        Metric = parsed.GetValue(Metric),
        MetricSettings = parsed.GetValue(MetricArg) ?? [],
    }) with
    {
        Predictions = parsed.GetValue(Predictions),
        AllowMissing = parsed.GetValue(AllowMissing),
        Json = parsed.GetValue(Json),
    };

    private static TrainConfig Read(ParseResult parsed, ConfigUse use)
    {
        var (model, adapters) = (parsed.GetValue(Model), parsed.GetValue(Adapter) ?? []);
        var config = parsed.GetValue(Config) is { } path
            ? EvalVerb.Read(path, [], model, adapters, use)
            : new TrainConfig { Model = new ModelSection { ModelNameOrPath = model ?? string.Empty, AdapterNameOrPath = adapters } };
        return config with
        {
            Model = config.Model with
            {
                InferDtype = parsed.GetValue(Dtype) ?? config.Model.InferDtype,
                UseCpu = config.Model.UseCpu || parsed.GetValue(Cpu),
            },
        };
    }

    private static async Task<int> Ask(EvaluationRequest request, TrainConfig config, Mesh mesh, TextWriter output)
    {
        var notes = mesh.IsMain ? Console.Error : TextWriter.Null;
        var questions = QuestionSet.Read(request);
        (config, var source) = ModelChoice.Complete(config, notes, mesh);
        notes.WriteLine($"{request.Entry.Benchmark.Title}: {questions.Items.Count} items, prompt: {request.Input.Prompt ?? request.Entry.Benchmark.Prompt}");
        notes.WriteLine($"rule: {request.Entry.Benchmark.Rule}");
        await using var model = await VisionModel.LoadAsync(config, source, fromModel: true, notes.WriteLine, mesh, CancellationToken.None);
        using var stop = new CancellationTokenSource();
        Console.CancelKeyPress += (_, pressed) =>
        {
            pressed.Cancel = !stop.IsCancellationRequested;
            stop.Cancel();
        };
        var view = new EvaluationView(notes, Console.IsErrorRedirected);
        try
        {
            var result = await model.Evaluate(request, questions, view.Show, stop.Token);
            view.End();
            return result is null ? 0 : Show(request, result, output);
        }
        catch (OperationCanceledException)
        {
            view.End();
            notes.WriteLine(request.Output is { } folder ? $"stopped; the answers so far are in {folder}, and the same command goes on from them" : "stopped");
            return Interrupted;
        }
    }

    private static int Show(EvaluationRequest request, EvaluationResult result, TextWriter output)
    {
        output.Write(ResultText.Of(result));
        foreach (var sentence in ResultFolder.Write(request, result))
        {
            output.WriteLine(sentence);
        }

        return 0;
    }

    private static void Positive(int? value, string name)
    {
        if (value < 1)
        {
            throw new ConfigException($"{name} is {value}, must be at least 1");
        }
    }
}
