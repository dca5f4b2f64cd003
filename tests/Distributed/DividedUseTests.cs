using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Fovea.Models;
using Fovea.Models.Qwen25Vl;
using Fovea.Tests.Parity;
using Fovea.Tests.Parity.MiniMindV;
using Fovea.Tests.Unit.Robustness;

namespace Fovea.Tests.Distributed;

/// <summary>Evaluation and answers of two processes that divide the weights (<c>zero: 3</c>) are those of one that has them all.</summary>
[Trait("Category", "Long")]
public sealed partial class DividedUseTests : IDisposable
{
    private const string Third = "zero=3";
    private static readonly string Data = TestFiles.Golden("qwen2_5_vl_tiny/data");
    private readonly TinyRun run = new();

    public void Dispose() => run.Dispose();

    [Fact]
    public void Eval_gives_the_loss_and_accuracy_of_one_process()
    {
        string[] eval = ["eval", run.Config, "val_size=7", "per_device_eval_batch_size=2", "output_dir="];
        var one = Numbers(Run(1, eval));
        Assert.Equal(5, one.Length);
        foreach (var how in new[] { "zero=0", Third })
        {
            var two = Numbers(Run(2, [.. eval, how]));
            Assert.All(one.Zip(two), pair => Assert.Equal(1, pair.Second / pair.First, 1e-4));
        }
    }

    [Fact]
    public void Eval_gives_each_dataset_the_numbers_of_one_process()
    {
        run.Rows(7, rows =>
        {
            run.Write("first.json", new JsonArray([.. rows.Take(4).Select(row => row!.DeepClone())]).ToJsonString());
            run.Write("second.json", new JsonArray([.. rows.Skip(4).Select(row => row!.DeepClone())]).ToJsonString());
        });
        var names = $"eval_dataset={Path.Combine(run.Folder, "first.json")},{Path.Combine(run.Folder, "second.json")}";
        JsonObject Each(int processes, string how)
        {
            var file = Path.Combine(run.Folder, $"{processes}{how}.json");
            Run(processes, ["eval", run.Config, "output_dir=", names, "eval_on_each_dataset=true", how, "--json", file]);
            return JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        }

        var one = Each(1, "zero=0");
        foreach (var two in new[] { Each(2, "zero=0"), Each(2, Third) })
        {
            Assert.Equal(one.Select(pair => pair.Key), two.Select(pair => pair.Key));
            foreach (var key in new[] { "eval_first_loss", "eval_second_loss", "eval_first_perplexity", "eval_second_samples" })
            {
                Assert.Equal(1, (double)two[key]! / (double)one[key]!, 1e-4);
            }
        }
    }

    [Fact]
    public void Chat_gives_the_references_greedy_tokens()
    {
        // Row 2 of the golden data, an image and a question.
        var row = Golden.Json(Path.Combine(Data, "tiny_shapes.json"))[2];
        var sample = Golden.Json(TestFiles.Golden("qwen2_5_vl_tiny/forward.json")).GetProperty("first4").EnumerateArray()
            .Single(s => s.GetProperty("index").GetInt32() == 2);
        var ids = sample.GetProperty("greedy_24").EnumerateArray().Select(id => id.GetInt32()).ToArray();
        var expected = Qwen25VlProcessor.Load(ModelSource.Open(TinyRun.Model)).Tokenizer.Decode(ids, skipSpecialTokens: true);
        var question = row.GetProperty("messages")[0].GetProperty("content").GetString()!;
        string[] chat = ["chat", run.Config, "--prompt", question, "--image", Path.Combine(Data, row.GetProperty("images")[0].GetString()!), "--greedy"];
        Assert.Equal(expected, Run(2, [.. chat, "--max-new-tokens", "24", Third]).Output.TrimEnd('\n'));
    }

    [Fact]
    public void Questions_come_from_rank_0_and_are_answered_alike_also_where_tokens_are_drawn()
    {
        string[] lines = ["/bin/sh", "-c", @"printf 'Hello\n/clear\nHello\nAnd then?\n' | ""$0"" ""$@"""];
        string[] chat = ["chat", run.Config, "--max-new-tokens", "8", "--temperature", "1.5", "--seed", "3"];
        Assert.Equal(Run(1, chat, lines).Output, Run(2, [.. chat, Third], lines).Output);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Other_families_are_measured_and_answer_alike(bool experts)
    {
        using var folder = experts ? new MiniMindFolder("c", "moe") : null;
        var (config, picture) = folder is null ? MiniCpm() : MiniMind(folder);
        string[] eval = ["eval", config, "output_dir="];
        var one = Numbers(Run(1, eval));
        Assert.Equal(5, one.Length);
        Assert.All(one.Zip(Numbers(Run(2, [.. eval, Third]))), pair => Assert.Equal(1, pair.Second / pair.First, 1e-4));

        string[] chat = ["chat", config, "--prompt", "What is shown?", "--image", picture, "--greedy", "--max-new-tokens", "8"];
        Assert.Equal(Run(1, chat).Output, Run(2, [.. chat, Third]).Output);
    }

    [Fact]
    public void Chat_stays_with_one_process_where_the_weights_are_not_divided()
    {
        var (_, errors) = Run(2, ["chat", run.Config, "--prompt", "Hello", "--greedy", "--max-new-tokens", "2", "zero=2"]);
        Assert.Contains("one process answers, not 2: only zero: 3 shards the weights", errors);
        Assert.DoesNotContain("starting", errors);
    }

    private (string Config, string Picture) MiniCpm()
    {
        var data = TestFiles.Golden("minicpm_v26/data");
        return (Eval($"""
            model_name_or_path: {TestFiles.Golden("minicpm_v26/model")}
            eval_dataset: {data}/train.json
            media_dir: {data}/images
            """), Directory.GetFiles(Path.Combine(data, "images")).Order(StringComparer.Ordinal).First());
    }

    private (string Config, string Picture) MiniMind(MiniMindFolder folder) => (Eval($"""
        model_name_or_path: {folder.Path}
        eval_dataset: {folder.Data("train.rows.json")}
        images_path: {folder.Data("images")}
        max_seq_len: 288
        """), Directory.GetFiles(folder.Data("images")).Order(StringComparer.Ordinal).First());

    private string Eval(string lines) => run.Write("eval.yaml", $"{lines}\nper_device_eval_batch_size: 2\nuse_cpu: true\nvision_cache_dir: none\n");

    private static (string Output, string Errors) Run(int processes, string[] arguments, params string[] before)
    {
        using var process = FoveaProcess.StartWith(LaunchRun.Variables(("NPROC_PER_NODE", $"{processes}")), arguments, before);
        Assert.True(process.Wait() == 0, process.Output + process.Errors);
        var launched = processes > 1 && (arguments[0] == "eval" || arguments.Contains(Third));
        Assert.Equal(launched, process.Errors.Contains("fovea: starting 2 processes", StringComparison.Ordinal));
        return (process.Output, process.Errors);
    }

    /// <summary>Loss, mean loss of a token, perplexity, and what the last line says.</summary>
    private static double[] Numbers((string Output, string Errors) result) =>
    [
        .. Figure().Matches(result.Output).Select(match => double.Parse(match.Groups["n"].Value, System.Globalization.CultureInfo.InvariantCulture)),
    ];

    [GeneratedRegex(@"(?:eval_loss': |eval_token_loss': |eval_perplexity': |, perplexity |^)(?<n>\d+(?:\.\d+)?)", RegexOptions.Multiline)]
    private static partial Regex Figure();
}
