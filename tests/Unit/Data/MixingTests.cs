using System.Text.Json;
using Fovea.Data.Datasets;
using Fovea.Data.Sampling;
using Fovea.Training.Config;

namespace Fovea.Tests.Unit.Data;

/// <summary>Several datasets as one, in the order of Hugging Face's datasets: the golden is made by its own code.</summary>
public sealed class MixingTests : IDisposable
{
    private static readonly Dictionary<string, MixStrategy> Strategies = new()
    {
        ["first_exhausted"] = MixStrategy.InterleaveUnder,
        ["all_exhausted"] = MixStrategy.InterleaveOver,
        ["all_exhausted_without_replacement"] = MixStrategy.InterleaveOnce,
    };

    private readonly TempFolder folder = new();

    public static TheoryData<int> Tables => [.. Enumerable.Range(0, Golden("tables").Count)];

    public void Dispose() => folder.Dispose();

    [Theory]
    [MemberData(nameof(Tables))]
    public void Rows_come_in_the_order_of_interleave_datasets(int number)
    {
        var item = Golden("tables")[number];
        var lengths = Numbers(item, "lengths");
        var order = Mixing.Order(lengths, Strategies[item.GetProperty("strategy").GetString()!], Probabilities(item), item.GetProperty("seed").GetInt64())
            .Select(row => lengths.Take(row.Source).Sum() + row.Row).ToList();
        var first = Numbers(item, "order");
        Assert.Equal(item.GetProperty("count").GetInt32(), order.Count);
        Assert.Equal(first, order.Take(first.Length));
        Assert.Equal(Numbers(item, "tail"), order.TakeLast(20));
    }

    [Fact]
    public void A_mix_takes_place_before_rows_are_held_out_and_before_bad_rows_go()
    {
        Write("a", 6);
        Write("b", 3, bad: 1);
        var options = Options(["a.jsonl", "b.jsonl"]) with { MixStrategy = MixStrategy.InterleaveUnder, OnBadSample = BadSamplePolicy.Skip };
        using (var mixed = DatasetLoader.Load(options))
        {
            Assert.Equal(["a0", "b0", "a1", "a2", "b2"], Answers(mixed.Train)); // b1 cannot be read
            Assert.Contains("mixed with interleave_under: 6 samples, 3 of a.jsonl (6 rows), 3 of b.jsonl (3 rows)", mixed.Notices);
        }

        using var split = DatasetLoader.Load(options with { ValSize = 2 });
        var order = new NumpyRandom(42).Permutation(6);
        string[] all = ["a0", "b0", "a1", "", "a2", "b2"];
        Assert.Equal(order.Take(2).Select(i => all[i]).Where(answer => answer.Length > 0), Answers(split.Eval!));
        Assert.Equal(order.Skip(2).Select(i => all[i]).Where(answer => answer.Length > 0), Answers(split.Train));
    }

    [Fact]
    public void Held_out_datasets_are_mixed_likewise_unless_each_has_its_own_numbers()
    {
        Write("a", 2);
        Write("b", 4);
        var options = Options(["a.jsonl"]) with { EvalDataset = ["a.jsonl", "b.jsonl"], MixStrategy = MixStrategy.InterleaveOnce };
        using var together = DatasetLoader.Load(options);
        Assert.Equal(["a0", "b0", "a1", "b1", "b2", "b3"], Answers(together.Eval!));
        Assert.Null(Assert.Single(together.HeldOut).Name);
        using var each = DatasetLoader.Load(options with { EvalOnEachDataset = true });
        Assert.Equal(["a", "b"], each.HeldOut.Select(part => part.Name));
        Assert.Equal([["a0", "a1"], ["b0", "b1", "b2", "b3"]], each.HeldOut.Select(part => Answers(part.Samples).ToArray()));
        Assert.Equal(6, each.Eval!.Count);
        var twice = Assert.Throws<ConfigException>(() => DatasetLoader.Load(options with { EvalOnEachDataset = true, EvalDataset = ["a.jsonl", "./a.jsonl"] }));
        Assert.Contains("eval_a_loss", twice.Message);
    }

    [Fact]
    public void A_mix_that_is_repeated_has_its_rows_as_often_as_they_are_drawn()
    {
        Write("a", 2);
        Write("b", 10);
        using var data = DatasetLoader.Load(Options(["a.jsonl", "b.jsonl"]) with { MixStrategy = MixStrategy.InterleaveOver, InterleaveProbs = [0.5, 0.5] });
        var counts = Answers(data.Train).CountBy(answer => answer).ToDictionary();
        Assert.Equal(12, counts.Count);
        Assert.True(counts["a0"] > 2);
        Assert.Equal(1, counts["b9"]);
    }

    [Theory]
    [InlineData("interleave_probs is only read with mix_strategy", "interleave_probs: 0.5,0.5")]
    [InlineData("interleave_probs has 3 numbers and dataset names 2", "mix_strategy: interleave_under", "interleave_probs: 0.5,0.3,0.2")]
    [InlineData("has 2 numbers and eval_dataset names 3", "mix_strategy: interleave_under", "interleave_probs: [0.5, 0.5]", "eval_dataset: c,d,e")]
    [InlineData("they add up to 0.9", "mix_strategy: interleave_over", "interleave_probs: 0.5,0.4")]
    [InlineData("at least 0", "mix_strategy: interleave_over", "interleave_probs: 1.5,-0.5")]
    [InlineData("every dataset must end", "mix_strategy: interleave_once", "interleave_probs: 1,0")]
    [InlineData("it must be numbers separated by commas", "mix_strategy: interleave_once", "interleave_probs: much,little")]
    [InlineData("concat, interleave_under, interleave_over, interleave_once", "mix_strategy: interleave")]
    public void Probabilities_that_cannot_be_drawn_from_are_refused(string problem, params string[] lines)
    {
        var error = Assert.Throws<ConfigException>(() => Parse(lines));
        Assert.Contains(error.Problems, one => one.Contains(problem, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("eval_dataset: c")]
    [InlineData("eval_dataset: c,d,e", "eval_on_each_dataset: true")]
    public void Held_out_datasets_that_are_not_mixed_need_no_probabilities(params string[] lines)
    {
        var alone = Parse([.. lines, "mix_strategy: interleave_under", "interleave_probs: 0.7,0.3"]).Data.HeldOutAlone;
        Assert.Equal((MixStrategy.Concat, 0), (alone.MixStrategy, alone.InterleaveProbs.Count));
    }

    [Fact]
    public void The_keys_of_LLaMA_Factory_are_honoured()
    {
        var config = Parse("mix_strategy: interleave_over", "interleave_probs: 0.25, 0.75", "eval_dataset: c,d", "eval_on_each_dataset: true");
        Assert.Equal(MixStrategy.InterleaveOver, config.Data.MixStrategy);
        Assert.Equal([0.25, 0.75], config.Data.InterleaveProbs);
        Assert.True(config.Data.EvalOnEachDataset);
        Assert.Equal(("interleave_over", "0.25,0.75", "true"),
            (config.ToDictionary()["mix_strategy"], config.ToDictionary()["interleave_probs"], config.ToDictionary()["eval_on_each_dataset"]));
    }

    private static List<JsonElement> Golden(string name) =>
        [.. JsonDocument.Parse(File.ReadAllText(TestFiles.Golden("mixing/mixing.json"))).RootElement.GetProperty(name).EnumerateArray()];

    private static int[] Numbers(JsonElement item, string name) => [.. item.GetProperty(name).EnumerateArray().Select(n => n.GetInt32())];

    private static double[] Probabilities(JsonElement item) =>
        item.GetProperty("probabilities") is { ValueKind: JsonValueKind.Array } list ? [.. list.EnumerateArray().Select(n => n.GetDouble())] : [];

    private static IEnumerable<string> Answers(ConversationSet set) => Enumerable.Range(0, set.Count).Select(i => set[i].Turns()[^1].Assistant);

    private static TrainConfig Parse(params string[] lines) => TrainConfig.Parse(
        "model_name_or_path: m\ndataset: a,b\noutput_dir: out\n" + string.Join('\n', lines), "test");

    private DataOptions Options(string[] names) => new() { Dataset = names, DatasetDir = folder.Root };

    private void Write(string name, int rows, int bad = -1) => folder.Write($"{name}.jsonl", string.Join('\n', Enumerable.Range(0, rows)
        .Select(i => i == bad ? "{" : $$"""{"instruction":"Q{{i}}","output":"{{name}}{{i}}"}""")));
}
