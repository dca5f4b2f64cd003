namespace Fovea.Evaluation.Texts;

/// <summary>LLaMA-Factory's files of predictions, scored as it scores them. The file holds answers and expectations; nothing is asked.</summary>
internal sealed class TextBenchmark : Benchmark
{
    public override string Name => "text";

    public override string Title => "Texts: predictions beside their labels";

    public override string Rule =>
        "LLaMA-Factory @ff6d4d1: ROUGE-1, ROUGE-2 and ROUGE-L over jieba's words and BLEU-4 over characters (NLTK's smoothing method 3), means over rows in "
        + "per cent.";

    public override string Prompt => "{question}";

    public override int MaxNewTokens => 1024;

    public override IReadOnlyList<BenchmarkItem> Read(BenchmarkInput input)
    {
        var path = (input.ScoresOnly ? input.Data : null)
            ?? throw new ConfigException("text scores what is answered already: --predictions generated_predictions.jsonl (fovea predict writes such a file)");
        return [.. TextPredictions.Read(path).Select((row, i) => new BenchmarkItem
        {
            Id = $"{i + 1}",
            Turns = [Message.User(row.Prompt)],
            Question = row.Prompt,
            Expected = row.Label,
            Truth = row,
        })];
    }

    public override BenchmarkScore Score(IReadOnlyList<BenchmarkItem> items, IReadOnlyList<IReadOnlyList<string>> answers) =>
        TextPredictions.Score([.. items.Select((item, i) => (item.Question, answers[i][0], item.Expected))]);
}
