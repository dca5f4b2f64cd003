using Fovea.Evaluation.Tables;

namespace Fovea.Evaluation.Quick;

/// <summary>A benchmark whose rows are one table with a question, its images and the answer.</summary>
internal abstract class TableBenchmark : Benchmark
{
    public override IReadOnlyList<BenchmarkItem> Read(BenchmarkInput input)
    {
        var (items, problems, ids) = (new List<BenchmarkItem>(), new List<string>(), new HashSet<string>(StringComparer.Ordinal));
        var number = 0;
        foreach (var row in TableFiles.Read(Name, input))
        {
            number++;
            try
            {
                if (input.Asks(items.Count))
                {
                    row.RequirePictures();
                }

                foreach (var item in Items(row, input, number))
                {
                    items.Add(ids.Add(item.Id) ? item : throw row.Problem($"the id {Problems.Brief(item.Id)} stands twice"));
                }
            }
            catch (ConfigException e)
            {
                problems.AddRange(e.Problems);
            }
        }

        return problems.Count > 0 ? throw new ConfigException(Problems.Some(problems))
            : items.Count > 0 ? items
            : throw new ConfigException($"{input.Data} has no row that {Name} asks");
    }

    /// <summary>What a row asks: one item mostly, several or none.</summary>
    /// <param name="number">The row's, from 1, for files without ids.</param>
    /// <exception cref="ConfigException">The row is malformed.</exception>
    protected abstract IEnumerable<BenchmarkItem> Items(TableRow row, BenchmarkInput input, int number);

    /// <summary>The question behind the images, in the prompt.</summary>
    protected Message Ask(TableRow row, BenchmarkInput input, string question) =>
        new(Role.User, [.. Images(row, input), new Text(Questions.Ask(input.Prompt ?? Prompt, question))]);

    protected static IEnumerable<Part> Images(TableRow row, BenchmarkInput input) =>
        input.ScoresOnly ? [] : row.Pictures.Select(picture => new Image(picture.Source));

    protected static string Id(TableRow row, int number) =>
        row.TextOrNull("index", "question_id", "questionId", "id") ?? number.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The groups of a row: its columns of these names, under the first spelling.</summary>
    protected static Dictionary<string, string> Groups(TableRow row, params ReadOnlySpan<string> columns)
    {
        var groups = new Dictionary<string, string>();
        foreach (var column in columns)
        {
            if (row.TextOrNull(column) is { } group)
            {
                groups[column] = group;
            }
        }

        return groups;
    }
}
