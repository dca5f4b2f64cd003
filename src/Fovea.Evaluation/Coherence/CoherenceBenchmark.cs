namespace Fovea.Evaluation.Coherence;

/// <summary>
/// Coherence over turns, a benchmark of Fovea's own that needs no files: facts are stated and pictures shown in earlier turns and asked for later, some of
/// them twice. Scored by exact rules, without a judge.
/// </summary>
internal sealed class CoherenceBenchmark : Benchmark
{
    private const int Dialogues = 90;
    private const ulong Seed = 1;

    public override string Name => "coherence";

    public override string Title => "Coherence over turns";

    public override string Rule =>
        "Fovea's own: an answer is right if it names the expected candidate (a name, colour, shape or number) and no other; accuracy over all questions of all "
        + "dialogues in per cent. A contradiction is a question asked again whose two answers name different candidates; contradiction_rate is their share of "
        + "the repeated questions, in per cent.";

    public override string Prompt => "{question}";

    public override int MaxNewTokens => 24;

    public override IReadOnlyList<BenchmarkItem> Read(BenchmarkInput input) => [.. Enumerable.Range(0, Dialogues).Select(number =>
    {
        var turns = CoherenceWriter.Write(Seed, number);
        return new BenchmarkItem
        {
            Id = $"dialogue-{number + 1}",
            Turns = [.. turns.Select(turn => Asked(turn.Message, input.Prompt))],
            Question = string.Join('\n', turns.Select(turn => string.Concat(turn.Message.Parts.OfType<Text>()))),
            Expected = string.Join(", ", turns.Select((turn, t) => (turn.Question, t)).Where(of => of.Question is not null)
                .Select(of => $"{of.t + 1}: {of.Question!.Expected}")),
            Groups = new Dictionary<string, string> { ["dialogue"] = (number % 3) switch { 0 => "facts", 1 => "changed facts", _ => "pictures" } },
            Truth = turns,
        };
    })];

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers)
    {
        var scored = items.Select((item, i) => new CoherenceScore((IReadOnlyList<CoherenceTurn>)item.Truth!, answers[i])).ToList();
        var questions = scored.SelectMany(dialogue => dialogue.Questions).ToList();
        var everything = Enumerable.Range(0, scored.Count).ToArray();
        return new BenchmarkScore
        {
            Metrics =
            [
                new("accuracy", Accuracy(everything), Accuracy),
                new("contradictions", scored.Sum(dialogue => dialogue.Contradictions), sample => sample.Sum(i => scored[i].Contradictions)),
                new("contradiction_rate", Rate(everything), Rate),
            ],
            Items = [.. scored.Select(dialogue => new ItemScore(dialogue.Share, dialogue.Note))],
            Groups =
            [
                .. questions.GroupBy(of => of.Question.Kind).OrderBy(of => of.Key, StringComparer.Ordinal).Select(of => Group("question", of.Key, [.. of])),
                .. questions.GroupBy(of => of.Turn).OrderBy(of => of.Key).Select(of => Group("turn", $"{of.Key + 1}", [.. of])),
            ],
        };

        double Accuracy(int[] sample) => Percent(sample.Sum(i => scored[i].Right), sample.Sum(i => scored[i].Questions.Count));

        double Rate(int[] sample) => Percent(sample.Sum(i => scored[i].Contradictions), sample.Sum(i => scored[i].Repeated));

        static GroupScore Group(string kind, string group, List<(int Turn, CoherenceQuestion Question, bool Right)> of) =>
            new(kind, group, of.Count, "accuracy", Percent(of.Count(question => question.Right), of.Count));
    }

    private static double Percent(int part, int all) => all == 0 ? 0 : 100.0 * part / all;

    private static Message Asked(Message message, string? prompt) => prompt is null ? message : message with
    {
        Parts = [.. message.Parts.Select(part => part is Text text ? new Text(Questions.Ask(prompt, text.Value)) : part)],
    };
}
