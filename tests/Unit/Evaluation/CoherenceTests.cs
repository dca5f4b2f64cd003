using Fovea.Data.Images;
using Fovea.Evaluation;
using Fovea.Evaluation.Coherence;
using Fovea.Evaluation.Results;
using Fovea.Evaluation.Running;

namespace Fovea.Tests.Unit.Evaluation;

/// <summary>The benchmark of coherence over turns, on answerers whose faults are known.</summary>
public sealed class CoherenceTests
{
    private static readonly CoherenceBenchmark Benchmark = new();
    private static readonly IReadOnlyList<BenchmarkItem> Items = Benchmark.Read(new BenchmarkInput());

    [Fact]
    public void It_is_the_same_every_time_pictures_included()
    {
        var again = Benchmark.Read(new BenchmarkInput());
        Assert.Equal(QuestionPrint.Of(Items), QuestionPrint.Of(again));
        Assert.Equal(Pictures(Items).Select(Convert.ToHexString), Pictures(again).Select(Convert.ToHexString));
        Assert.Equal(60, Pictures(Items).Count);
        Assert.Equal(Items.Count, Items.Select(item => item.Expected).Distinct().Count());
    }

    [Fact]
    public void A_picture_shows_its_shape_in_its_colour()
    {
        var dialogue = Items.First(item => item.Groups["dialogue"] == "pictures");
        var image = ImageReader.Read(dialogue.Turns[0].Parts.OfType<Image>().First().Source);
        var colour = Turns(dialogue)[0].Question!.Expected;
        var pixel = Enumerable.Range(0, image.Width * image.Height).Select(i => image.Pixels.AsSpan(i * 3, 3).ToArray())
            .GroupBy(rgb => (rgb[0], rgb[1], rgb[2])).OrderByDescending(of => of.Count()).Select(of => of.Key).ElementAt(1);
        Assert.Equal(colour, Nearest(pixel));

        static string Nearest((byte R, byte G, byte B) pixel) => new (string Name, int R, int G, int B)[]
        {
            ("red", 255, 0, 0), ("green", 0, 160, 0), ("blue", 0, 0, 255), ("yellow", 255, 230, 0), ("purple", 128, 0, 160), ("orange", 255, 130, 0),
        }.MinBy(of => Math.Abs(of.R - pixel.R) + Math.Abs(of.G - pixel.G) + Math.Abs(of.B - pixel.B)).Name;
    }

    [Fact]
    public void Who_remembers_everything_is_right_and_consistent()
    {
        var result = Ask((turn, _) => turn.Question is { } question ? $"It is {question.Expected}." : "OK");
        Assert.Equal((100, 0, 0), (Metric(result, "accuracy"), Metric(result, "contradictions"), Metric(result, "contradiction_rate")));
        Assert.All(result.Score.Items, item => Assert.Equal(1, item.Score));
        Assert.Equal(new Fovea.Evaluation.Statistics.Interval(100, 100), result.Intervals[0]);
    }

    [Fact]
    public void Who_forgets_is_right_only_about_what_was_just_said_and_contradicts_nothing()
    {
        var result = Ask((turn, _) => turn.Question switch
        {
            null => "OK",
            { Kind: "general" or "picture" } question => question.Expected,
            _ => "I do not know.",
        });
        Assert.InRange(Metric(result, "accuracy"), 20, 70);
        Assert.Equal(0, Metric(result, "contradictions"));
        Assert.All(result.Score.Groups.Where(group => group.Kind == "question"), group => Assert.Equal(
            group.Group is "general" or "picture" ? 100 : 0, group.Value));
    }

    [Fact]
    public void Who_says_one_thing_and_then_another_is_counted_for_every_repeated_question()
    {
        var said = new Dictionary<string, int>();
        var result = Ask((turn, id) =>
        {
            if (turn.Question is not { } question)
            {
                return "OK";
            }

            var about = $"{id} {question.Same}";
            var next = said[about] = said.GetValueOrDefault(about) + 1;
            return question.Candidates.Count > 0 ? question.Candidates[next % question.Candidates.Count] : $"{next}";
        });
        var repeated = Items.Sum(item => Turns(item).Where(turn => turn.Question is not null).GroupBy(turn => turn.Question!.Same).Sum(of => of.Count() - 1));
        Assert.True(repeated >= 120);
        Assert.Equal((repeated, 100), (Metric(result, "contradictions"), Metric(result, "contradiction_rate")));
        Assert.Contains(result.Score.Items, item => item.Note!.Contains("contradicts an earlier answer", StringComparison.Ordinal));
    }

    [Fact]
    public void Who_takes_no_notice_of_corrections_is_wrong_there_alone()
    {
        var first = new Dictionary<string, string>();
        var result = Ask((turn, id) =>
        {
            if (turn.Question is not { } question)
            {
                return "OK";
            }

            var about = $"{id} {question.Same.Split(' ')[0]}";
            return question.Same.StartsWith("sister", StringComparison.Ordinal)
                ? first[about] = first.GetValueOrDefault(about, question.Expected)
                : question.Expected;
        });
        Assert.All(result.Score.Groups.Where(group => group.Kind == "question"), group => Assert.True(
            group.Group == "changed fact" ? group.Value < 50 : group.Value == 100));
        Assert.Equal(0, Metric(result, "contradictions"));
    }

    [Theory]
    [InlineData("Juno", "Juno", true)]
    [InlineData("It's JUNO!", "Juno", true)]
    [InlineData("Juno or Rex", "Juno and Rex", false)]
    [InlineData("Junona", "", false)]
    [InlineData("", "", false)]
    public void An_answer_says_the_candidates_that_stand_in_it(string answer, string read, bool right)
    {
        var question = new CoherenceQuestion("fact", "Juno", ["Juno", "Rex"], "dog");
        var said = CoherenceReading.Of(answer, question);
        Assert.Equal(read, string.Join(" and ", said));
        Assert.Equal(right, CoherenceReading.IsRight(said, question));
    }

    [Theory]
    [InlineData("7", true)]
    [InlineData("Seven.", true)]
    [InlineData("007", true)]
    [InlineData("7 or 8", false)]
    [InlineData("17", false)]
    public void Numbers_are_read_in_digits_and_words(string answer, bool right)
    {
        var question = new CoherenceQuestion("general", "7", [], "week");
        Assert.Equal(right, CoherenceReading.IsRight(CoherenceReading.Of(answer, question), question));
    }

    private static EvaluationResult Ask(Func<CoherenceTurn, string, string> answer)
    {
        var rounds = new TurnRounds(Items, AnswerLog.InMemory());
        rounds.Run(AskOrder.Of(Items), asked => asked.Select(turn => new AnsweredTurn(turn, answer(Turns(Items[turn.Item])[turn.Turn], Items[turn.Item].Id))));
        return new EvaluationResult(Benchmark, Items, [.. Items.Select((_, i) => rounds.Answers(i))]);
    }

    private static IReadOnlyList<CoherenceTurn> Turns(BenchmarkItem item) => (IReadOnlyList<CoherenceTurn>)item.Truth!;

    private static double Metric(EvaluationResult result, string name) => result.Score.Metrics.Single(metric => metric.Name == name).Value;

    private static List<byte[]> Pictures(IEnumerable<BenchmarkItem> items) =>
        [.. items.SelectMany(item => item.Turns).SelectMany(turn => turn.Parts).OfType<Image>().Select(image => image.Source.ReadBytes())];
}
