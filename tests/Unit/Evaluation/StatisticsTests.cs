using Fovea.Evaluation;
using Fovea.Evaluation.Captions;
using Fovea.Evaluation.Results;
using Fovea.Evaluation.Statistics;

namespace Fovea.Tests.Unit.Evaluation;

public sealed class StatisticsTests
{
    [Fact]
    public void The_interval_of_a_share_is_about_that_of_the_normal_approximation()
    {
        var values = Enumerable.Range(0, 400).Select(i => i % 4 == 0 ? 1.0 : 0).ToList();
        var interval = Bootstrap.OfMean(values);
        var half = 1.96 * Math.Sqrt(0.25 * 0.75 / 400);
        Assert.InRange(interval.Low, 0.25 - half - 0.01, 0.25 - half + 0.01);
        Assert.InRange(interval.High, 0.25 + half - 0.01, 0.25 + half + 0.01);
    }

    [Fact]
    public void Intervals_are_the_same_every_time_and_for_every_number_of_threads()
    {
        var values = Enumerable.Range(0, 57).Select(i => Math.Sin(i)).ToList();
        Assert.Equal(Bootstrap.OfMean(values), Bootstrap.OfMean(values));
        Assert.Equal(Bootstrap.Draw(57, 3), Bootstrap.Draw(57, 3));
        Assert.NotEqual(Bootstrap.Draw(57, 3), Bootstrap.Draw(57, 4));
        Assert.All(Bootstrap.Draw(57, 3), i => Assert.InRange(i, 0, 56));
        var counts = Enumerable.Range(0, 400).SelectMany(round => Bootstrap.Draw(10, round)).GroupBy(i => i).Select(of => of.Count()).ToList();
        Assert.Equal(10, counts.Count);
        Assert.All(counts, count => Assert.InRange(count, 320, 480));
    }

    [Fact]
    public void A_metric_that_cannot_be_resampled_has_no_interval()
    {
        var values = Bootstrap.Values([new MetricValue("a", 1), new MetricValue("b", 1, sample => sample.Length)], 7);
        Assert.Null(Bootstrap.Of(values[0]));
        Assert.Equal(new Interval(7, 7), Bootstrap.Of(values[1]));
        Assert.All(Bootstrap.Values([new MetricValue("b", 1, sample => sample.Length)], 0), Assert.Empty);
    }

    // Twice the tail of the binomial distribution, summed with whole numbers.
    [Theory]
    [InlineData(0, 0, 1)]
    [InlineData(5, 0, 0.0625)]
    [InlineData(6, 4, 0.75390625)]
    [InlineData(10, 10, 1)]
    [InlineData(1, 9, 0.021484375)]
    [InlineData(15, 30, 0.035697803555194696)]
    [InlineData(400, 300, 0.00017847631448562445)]
    public void McNemars_test_is_the_exact_one(int better, int worse, double p) => Assert.Equal(p, PairedTest.McNemar(better, worse), 1e-12);

    [Fact]
    public void The_permutation_test_is_exact_where_it_can_be()
    {
        // Of the 8 ways to put signs to (1, 1, 0.5), two reach 2.5.
        var test = PairedTest.Of([0, 0, 0, 0.5], [1, 1, 0.5, 0.5]);
        Assert.Equal((0.25, 3, 0), (test.P, test.Better, test.Worse));
        Assert.Contains("exact", test.Name, StringComparison.Ordinal);
    }

    [Fact]
    public void The_permutation_test_tells_a_difference_from_none()
    {
        var first = Enumerable.Range(0, 200).Select(i => 0.5 + (0.3 * Math.Sin(i))).ToList();
        var noise = first.Select((score, i) => score + (i % 2 == 0 ? 0.1 : -0.1)).ToList();
        var better = first.Select((score, i) => score + (i % 3 == 0 ? -0.05 : 0.1)).ToList();
        Assert.InRange(PairedTest.Of(first, noise).P, 0.9, 1);
        Assert.InRange(PairedTest.Of(first, better).P, 0, 0.001);
    }

    [Fact]
    public void A_comparison_gives_differences_with_intervals_and_the_answers_that_changed()
    {
        var first = Saved("a", [("1", "cat", 1), ("2", "dog", 0), ("3", "x", 0), ("4", "y", 1)], 50, 3.5);
        var second = Saved("b", [("1", "cat", 1), ("2", "Dog", 1), ("3", "z", 0), ("4", "q", 0)], 50, 3.25);
        var comparison = new Comparison(first, second);
        Assert.True(comparison.Complete);
        Assert.Equal((1, 1, 1.0), (comparison.Test.Better, comparison.Test.Worse, comparison.Test.P));
        Assert.Equal(["4", "3", "2"], comparison.Changed.Select(pair => pair.First.Id));

        // accuracy is the mean of the items in per cent; of CIDEr these files do not hold enough.
        Assert.InRange(comparison.Metrics[0].Interval!.Value.Low, -100, -25);
        Assert.Null(comparison.Metrics[1].Interval);
        Assert.Equal(-0.25, comparison.Metrics[1].Second - comparison.Metrics[1].First);
        var text = ResultText.Of(comparison);
        Assert.Contains("3 of 4 answers changed", text, StringComparison.Ordinal);
        Assert.Contains("McNemar's exact test: p = 1.0000; B is better on 1 items, worse on 1", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Metrics_of_a_whole_corpus_have_the_interval_of_the_paired_bootstrap()
    {
        using var folder = new TempFolder();
        string[] nouns = ["dog", "cat", "man", "boat", "tree", "kite", "horse"];
        BenchmarkItem[] items = [.. Enumerable.Range(0, 40).Select(i => new BenchmarkItem
        {
            Id = $"{i}", Turns = [Message.User("Caption it.")], Question = string.Empty, Expected = string.Empty,
            Truth = new CaptionTruth([$"a {nouns[i % 7]} stands beside a big {nouns[i % 5]} on the grass", $"one {nouns[i % 7]} near a {nouns[i % 5]}"]),
        })];
        IReadOnlyList<IReadOnlyList<string>> good = [.. items.Select((_, i) => (string[])[$"a {nouns[i % 7]} stands beside a {nouns[i % 5]} on the grass"])];
        IReadOnlyList<IReadOnlyList<string>> poor = [.. good.Select((one, i) => i % 3 == 0 ? (string[])["a thing is here"] : one)];
        var comparison = new Comparison(Save("a", items, poor), Save("b", items, good));
        foreach (var metric in comparison.Metrics)
        {
            // The same samples, scored anew as the metric is.
            var interval = metric.Interval ?? throw new InvalidOperationException(metric.Name);
            var (before, after) = (Resample(metric.Name, poor), Resample(metric.Name, good));
            double[] differences = [.. before.Zip(after, (x, y) => y - x).Order()];
            Assert.Equal(differences[24] + (0.975 * (differences[25] - differences[24])), interval.Low, 1e-5);
            Assert.Equal(differences[974] + (0.025 * (differences[975] - differences[974])), interval.High, 1e-5);
            Assert.InRange(metric.Second - metric.First, interval.Low, interval.High);
            Assert.True(interval.Low > 0);
        }

        Assert.Equal(6, comparison.Metrics.Count);
        Assert.All(new Comparison(Save("c", items, poor), Save("d", items, poor)).Metrics, metric => Assert.Equal(new Interval(0, 0), metric.Interval));

        // Items in another order: the samples are no pairs.
        var turned = Save("e", [.. items.Reverse()], [.. good.Reverse()]);
        Assert.Null(new Comparison(Save("a", items, poor), turned).Metrics.Single(metric => metric.Name == "Bleu_4").Interval);

        SavedResult Save(string name, BenchmarkItem[] asked, IReadOnlyList<IReadOnlyList<string>> answers)
        {
            ResultJson.Write(folder[name], new EvaluationResult(new CocoCaptionBenchmark(), asked, answers));
            return SavedResult.Read(folder[name]);
        }

        double[] Resample(string name, IReadOnlyList<IReadOnlyList<string>> answers)
        {
            var metric = new CocoCaptionBenchmark().Score(items, answers).Metrics.Single(metric => metric.Name == name);
            return [.. Enumerable.Range(0, 1000).Select(round => metric.Resample!(Bootstrap.Draw(items.Length, round)))];
        }
    }

    [Fact]
    public void Results_of_different_benchmarks_are_not_compared_and_of_different_items_only_the_common_ones()
    {
        var first = Saved("a", [("1", "cat", 1), ("2", "dog", 0)], 50, 1);
        Assert.Throws<ConfigException>(() => new Comparison(first, first with { Benchmark = "other" }));
        Assert.Throws<ConfigException>(() => new Comparison(first, Saved("b", [("9", "cat", 1)], 100, 1)));
        var partly = new Comparison(first, Saved("b", [("2", "dog", 0)], 0, 1));
        Assert.False(partly.Complete);
        Assert.Single(partly.Pairs);
        Assert.All(partly.Metrics, metric => Assert.Null(metric.Interval));
        Assert.Contains("the 1 that both have are compared", ResultText.Of(partly), StringComparison.Ordinal);
    }

    private static SavedResult Saved(string path, (string Id, string Answer, double Score)[] samples, double accuracy, double cider) => new()
    {
        Path = path,
        Benchmark = "vqa",
        Answerer = string.Empty,
        Metrics = [KeyValuePair.Create("accuracy", accuracy), KeyValuePair.Create("CIDEr", cider)],
        Samples = [.. samples.Select(sample => new SavedSample(sample.Id, $"question {sample.Id}", sample.Answer, "expected", sample.Score))],
    };
}
