using System.Text;
using Fovea.Data.Datasets;

namespace Fovea.Tests.Unit.Data;

/// <summary>The one look at all rows before the first step: however many threads look, it is as if one had.</summary>
public sealed class RowPassTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    [Trait("Category", "Long")]
    public void Six_hundred_thousand_rows_come_out_in_the_order_of_the_file_with_their_bad_ones_listed_first()
    {
        const int rows = 600_000;
        using (var file = new StreamWriter(Path.Combine(folder.Root, "d.jsonl"), append: false, new UTF8Encoding(false), 1 << 20))
        {
            for (var i = 0; i < rows; i++)
            {
                file.Write(IsBad(i) ? $"{{\"instruction\":\"Q{i}\"}}\n" : $"{{\"instruction\":\"Q{i}\",\"output\":\"A{i}\",\"extra{i / 60_000}\":1}}\n");
            }
        }

        var options = new DataOptions { Dataset = ["d.jsonl"], DatasetDir = folder.Root, ValSize = 0.01, OnBadSample = BadSamplePolicy.Skip };
        using var one = DatasetLoader.Load(options with { DataloaderNumWorkers = 1 });
        using var many = DatasetLoader.Load(options with { DataloaderNumWorkers = 7 });
        var bad = Enumerable.Range(0, rows).Where(IsBad).ToList();
        Assert.Equal([new DatasetSummary("d.jsonl", false, rows, bad.Count)], many.Summaries);
        Assert.Equal(bad.Take(10_000).Select(i => i + 1), many.Rejected.Select(b => b.Row));
        Assert.Equal(one.Rejected, many.Rejected);
        Assert.Equal("dataset 'd.jsonl': nothing reads the columns " + string.Join(", ", Enumerable.Range(0, 10).Select(i => $"'extra{i}'")), many.Notices[0]);
        Assert.Equal(one.Notices, many.Notices);

        // The split is drawn over all rows, and the bad ones fall out of it.
        var order = new NumpyRandom(42).Permutation(rows);
        var held = (int)Math.Ceiling(0.01 * rows);
        Assert.Equal(order[..held].Where(i => !IsBad(i)).Select(i => i + 1), Rows(many.Eval!));
        Assert.Equal(order[held..].Where(i => !IsBad(i)).Select(i => i + 1), Rows(many.Train));
        Assert.Equal($"Q{many.Train.Origin(12_345).Row - 1}", many.Train[12_345].Turns()[0].User);

        static bool IsBad(int i) => i % 50 == 7 || i is > 300_000 and < 301_000;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public void With_errors_refused_the_first_thirty_are_listed_in_order_over_all_data_sets(int workers)
    {
        for (var set = 0; set < 3; set++)
        {
            folder.Write($"{set}.jsonl", string.Join('\n', Enumerable.Range(0, 4000).Select(i => i % 300 == 299 ? "{\"output\":1}" : "{\"output\":\"A\"}")));
        }

        var options = new DataOptions { Dataset = ["0.jsonl", "1.jsonl", "2.jsonl"], DatasetDir = folder.Root, DataloaderNumWorkers = workers };
        var error = Assert.Throws<ConfigException>(() => DatasetLoader.Load(options));
        var expected = Enumerable.Range(0, 39).Select(i => $"dataset '{i / 13}.jsonl', row {((i % 13) + 1) * 300}: output must be text, not a number");
        Assert.Equal(expected.Take(30), error.Problems.Take(30));
        Assert.Equal("and 9 more rows; 'fovea data check' counts them by reason", error.Problems[30]);
    }

    private static IEnumerable<int> Rows(ConversationSet set) => Enumerable.Range(0, set.Count).Select(i => set.Origin(i).Row);
}
