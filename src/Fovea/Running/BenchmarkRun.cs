using System.Diagnostics;
using Fovea.Distributed;
using Fovea.Evaluation.Report;
using Fovea.Evaluation.Results;
using Fovea.Evaluation.Running;
using Fovea.Generation;
using Fovea.Loading;
using Fovea.Models.Peft;
using Fovea.Training.Config;

namespace Fovea.Running;

/// <summary>Has a loaded model answer a benchmark, and scores the answers. For the thread that owns the model.</summary>
internal sealed class BenchmarkRun(LoadedModel loaded, TrainConfig config, Mesh mesh, EvaluationRequest request)
{
    private const int Digits = 16;

    /// <summary>How answers are generated: greedily and as long as the benchmark says, otherwise as the model's generation_config.json says.</summary>
    public GenerationOptions Options { get; } =
        loaded.Options with { DoSample = false, MaxNewTokens = request.MaxNewTokens ?? request.Entry.Benchmark.MaxNewTokens };

    /// <param name="questions">What is asked.</param>
    /// <param name="told">Receives the progress of this process after every answer.</param>
    /// <param name="cancel">Ends the run; answers that are whole are kept in the folder.</param>
    /// <returns>The result, in the main process; null in the others.</returns>
    /// <exception cref="ConfigException">The folder holds answers that were made otherwise, or several processes have no folder in common.</exception>
    public EvaluationResult? Run(QuestionSet questions, Action<BenchmarkProgress>? told, CancellationToken cancel)
    {
        if (mesh.WorldSize > 1 && request.Output is null)
        {
            throw new ConfigException($"--output is missing: {mesh.WorldSize} processes bring their answers together in its folder");
        }

        var depends = DependsOn(questions);
        using var log = request.Output is { } folder ? AnswerLog.Open(folder, depends, mesh.Rank) : AnswerLog.InMemory();
        var rounds = new TurnRounds(questions.Items, log);
        var mine = AskOrder.Of(questions.Items, mesh.Rank, mesh.WorldSize);
        var total = mine.Sum(i => questions.Items[i].Turns.Count);
        var found = total - rounds.Open(mine);
        var (done, watch) = (found, Stopwatch.StartNew());
        loaded.Engine.Sum = mesh.WorldSize > 1 && loaded.Weights is not null ? values => mesh.Sum("a step of the answers", values) : null;
        try
        {
            mesh.Barrier("the folder of answers");
            rounds.Run(mine, asked => Ask(asked, cancel), () =>
            {
                done++;
                var left = TimeSpan.FromTicks(watch.Elapsed.Ticks / (done - found) * (total - done));
                told?.Invoke(new BenchmarkProgress(done, total, left));
            });
            mesh.Barrier("the last answers");
        }
        finally
        {
            loaded.Engine.Sum = null;
        }

        if (!mesh.IsMain)
        {
            return null;
        }

        if (mesh.WorldSize > 1)
        {
            log.Refresh(request.Output!, depends);
        }

        return Result(questions, rounds, log.Found);
    }

    private IEnumerable<AnsweredTurn> Ask(IEnumerable<AskedTurn> turns, CancellationToken cancel)
    {
        foreach (var answer in loaded.Batch.AnswerAll(turns.Select(turn => new AnswerRequest(turn.Asked, Options) { Tag = turn }), cancel))
        {
            var turn = (AskedTurn)answer.Request.Tag!;
            yield return answer.Problem is { } problem ? new AnsweredTurn(turn, null, problem.Message) : new AnsweredTurn(turn, answer.Answers[0].Text);
        }
    }

    private EvaluationResult Result(QuestionSet questions, TurnRounds rounds, int found)
    {
        var benchmark = request.Entry.Benchmark;
        var problems = Enumerable.Range(0, questions.Items.Count)
            .Where(i => rounds.Open([i]) > 0)
            .ToDictionary(i => i, i => rounds.Problems.GetValueOrDefault(i, "it was not answered by another process; see its messages"));
        var adapters = config.Model.AdapterNameOrPath;
        IReadOnlyList<string> notes = problems.Count == 0 ? questions.Notes
            : [.. questions.Notes, $"{problems.Count} items could not be asked and count as empty answers; the first: {First(problems)}"];
        return new EvaluationResult(benchmark, questions.Items, [.. questions.Items.Select((_, i) => rounds.Answers(i))])
        {
            Answerer = string.Join(" with ", adapters.Prepend(config.Model.ModelNameOrPath)),
            Facts =
            [
                EvaluationFacts.Prompt(benchmark, request.Input),
                new ReportFact("Model", $"{config.Model.ModelNameOrPath} ({ElementType}, {loaded.Model.Device})"),
                .. adapters.Select(adapter => new ReportFact("Adapter", adapter)),
                new ReportFact("Decoding", GenerationText.Words(Options)),
                .. found > 0 ? [new ReportFact("Resumed", $"{found} answers were there already")] : Array.Empty<ReportFact>(),
                .. EvaluationFacts.Files(request.Input),
            ],
            Notes = notes,
            Problems = problems,
        };
    }

    private static string First(Dictionary<int, string> problems) => problems.MinBy(problem => problem.Key).Value;

    private string ElementType => loaded.Model.Ledger.Options.Compute.SafetensorsName().ToLowerInvariant();

    /// <summary>What answers depend on, in words that a message can show.</summary>
    private Dictionary<string, string> DependsOn(QuestionSet questions)
    {
        var known = AdapterBase.Of(loaded.Source, config.Model.AdapterNameOrPath);
        var depends = new Dictionary<string, string>(GenerationText.Settings(Options))
        {
            ["benchmark"] = request.Entry.Benchmark.Name,
            ["questions"] = QuestionPrint.Of(questions.All),
            ["prompt"] = request.Input.Prompt ?? request.Entry.Benchmark.Prompt,
            ["model"] = $"{known.Name}, config {known.Config[..Digits]}, weights {known.Weights[..Digits]}",
            ["adapters"] = string.Join(", ", known.Below.Select(adapter => adapter[^Digits..])),
            ["element type"] = ElementType,
            ["template"] = config.Data.Template ?? loaded.Source.Family.ModelType,
            ["system prompt"] = config.Data.DefaultSystem ?? "the template's",
            ["image pixels"] = $"{config.Data.ImageMinPixels} to {config.Data.ImageMaxPixels}",
        };
        if (loaded.Prompts.PromptEnd is { } end)
        {
            depends.Add("end of prompts", end.Replace("\n", "\\n", StringComparison.Ordinal));
        }

        if (config.Data is not { EnableThinking: true, PreserveThinking: false })
        {
            depends.Add("thoughts", $"enable_thinking {config.Data.EnableThinking?.ToString() ?? "null"}, preserve_thinking {config.Data.PreserveThinking}");
        }

        return depends;
    }
}
