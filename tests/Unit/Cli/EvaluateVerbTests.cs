using System.CommandLine;
using System.Text.Json;
using Fovea.Cli;
using Fovea.Evaluation;

namespace Fovea.Tests.Unit.Cli;

/// <summary><c>fovea evaluate</c> without a model: lists, scores of answers made elsewhere, comparisons, and what it refuses.</summary>
public sealed class EvaluateVerbTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Alone_it_lists_all_benchmarks_with_their_files()
    {
        var text = Evaluate();
        Assert.All(Benchmarks.All, entry => Assert.Contains($"  {entry.Benchmark.Name} ", text, StringComparison.Ordinal));
        Assert.Contains("exact|contains|numeric|anls|f1|json|iou|regex", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Answers_made_elsewhere_are_scored_written_and_compared()
    {
        var rows = Rows(40);
        Predictions("a.jsonl", i => i % 2 == 0 ? $"{i}" : "none");
        Predictions("b.jsonl", i => i % 8 != 1 ? $"{i}" : "none");
        string[] words = ["custom", "--data", rows, "--metric", "numeric"];
        var text = Evaluate([.. words, "--predictions", folder["a.jsonl"], "--output", folder["a"], "--json", folder["a.json"]]);
        Assert.Matches(@"numeric +50\.00 +3\d\.\d+ to 6\d", text);
        Assert.Contains("rule: numeric: the last number in the answer", text, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(folder["a"], "report.html")));
        using (var json = JsonDocument.Parse(File.ReadAllText(folder["a.json"])))
        {
            Assert.Equal(50, json.RootElement.GetProperty("metrics").GetProperty("numeric").GetDouble());
            Assert.Equal(40, json.RootElement.GetProperty("samples").GetArrayLength());
            Assert.Equal("none", json.RootElement.GetProperty("samples")[1].GetProperty("answer").GetString());
        }

        Evaluate([.. words, "--predictions", folder["b.jsonl"], "--json", folder["b.json"]]);
        var compared = Evaluate("--compare", folder["a"], folder["b.json"]);
        Assert.Contains("McNemar's exact test: p = below 0.0001; B is better on 15 items, worse on 0", compared, StringComparison.Ordinal);
        Assert.Contains("15 of 40 answers changed", compared, StringComparison.Ordinal);
        Assert.Matches(@"numeric +50\.00 +87\.50 +37\.50 +2\d\.\d+ to 5\d", compared);
    }

    [Fact]
    public void Answers_that_do_not_fit_the_items_end_with_code_2_and_three_names()
    {
        var rows = Rows(9);
        var given = folder.Write("r.jsonl", "{\"id\": 1, \"answer\": \"1\"}\n{\"id\": 1, \"answer\": \"1\"}\n{\"id\": 77, \"answer\": \"1\"}\n");
        string[] words = ["evaluate", "custom", "--data", rows, "--metric", "numeric", "--predictions", given];
        var (code, _, errors) = FoveaProcess.Run(words);
        Assert.Equal(2, code);
        Assert.Contains("1 with more than one answer for the same item: 1", errors, StringComparison.Ordinal);
        Assert.Contains("1 with answers to what the benchmark does not ask: 77", errors, StringComparison.Ordinal);
        Assert.Contains("8 with no answer: 0, 2, 3, ...", errors, StringComparison.Ordinal);
        folder.Write("r.jsonl", "{\"id\": 1, \"answer\": \"1\"}\n");
        var text = Evaluate([.. words[1..], "--allow-missing"]);
        Assert.Contains("note: 8 of 9 items have no answer", text, StringComparison.Ordinal);
        Assert.Matches(@"numeric +100\.00", text);
    }

    [Fact]
    public void No_native_library_is_needed_to_score_answers()
    {
        var rows = folder.Write("rows.jsonl", "{\"question\": \"a\", \"answer\": \"b\"}\n");
        var given = folder.Write("r.jsonl", "{\"id\": 1, \"answer\": \"b\"}\n");
        string[] words = ["evaluate", "custom", "--data", rows, "--metric", "exact", "--predictions", given, "--output", folder["out"]];
        var nowhere = new Dictionary<string, string?>
        {
            ["FOVEA_NATIVE"] = folder["none.so"], ["FOVEA_LIBTORCH"] = folder["none"], ["FOVEA_CODECS"] = folder["none"], ["LIBTORCH"] = null,
        };
        using var process = FoveaProcess.StartWith(nowhere, words);
        Assert.True(process.Wait() == 0, process.Errors);
        Assert.Contains("100.00", process.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("is no benchmark", "there is no benchmark okvqqa", "okvqqa")]
    [InlineData("has no metric", "--metric is missing", "custom")]
    [InlineData("has no rows", "--data is missing", "custom", "--metric", "exact", "--predictions", "r.jsonl")]
    [InlineData("a limit of none", "--limit is 0", "coherence", "--limit", "0")]
    [InlineData("no results", "cannot be read", "--compare", "no/a", "no/b")]
    [InlineData("no model", "no model is named", "coherence")]
    public void What_cannot_be_done_is_refused(string what, string said, params string[] words)
    {
        var (code, _, errors) = FoveaProcess.Run(["evaluate", .. words]);
        Assert.True(code == 2, what);
        Assert.Contains(said, errors, StringComparison.Ordinal);
    }

    private string Rows(int count) => folder.Write(
        "rows.jsonl", string.Concat(Enumerable.Range(0, count).Select(i => $"{{\"id\": {i}, \"question\": \"{i}?\", \"answer\": {i}}}\n")));

    private void Predictions(string name, Func<int, string> answer) =>
        folder.Write(name, string.Concat(Enumerable.Range(0, 40).Select(i => $"{{\"id\": {i}, \"answer\": \"{answer(i)}\"}}\n")));

    private static string Evaluate(params string[] words)
    {
        using var output = new StringWriter();
        var code = Program.Root().Parse(["evaluate", .. words])
            .Invoke(new InvocationConfiguration { Output = output, Error = output, EnableDefaultExceptionHandler = false });
        Assert.True(code == 0, output.ToString());
        return output.ToString();
    }
}
