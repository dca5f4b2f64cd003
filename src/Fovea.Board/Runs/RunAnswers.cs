using System.Text;
using Fovea.Evaluation.Texts;
using Fovea.Runs.Files;

namespace Fovea.Board.Runs;

/// <summary>The rows of <c>generated_predictions.jsonl</c>, those least like their label first.</summary>
internal sealed class RunAnswers(RootedFolder files)
{
    private const int MostBytes = 128 << 20;
    private const int MostScored = 2000;
    private const int MostShown = 200;
    private const int MostText = 4000;

    private readonly Lock guard = new();
    private (string Stamp, object Page) last = (string.Empty, new());

    public object Of(RunSummary run)
    {
        lock (guard)
        {
            var path = run.File(PredictionFiles.Answers);
            var stamp = $"{path} {RootedFolder.Stamp(path)}";
            if (last.Stamp != stamp)
            {
                last = (stamp, Read(path));
            }

            return last.Page;
        }
    }

    private object Read(string path)
    {
        var lines = files.Read(path, MostBytes) is { } bytes ? LogLines.Of(Encoding.UTF8.GetString(bytes)).ToList() : [];
        var rows = lines.Take(MostScored).Select((line, number) =>
        {
            var (predict, label) = (Text(line, "predict"), Text(line, "label"));
            return (Number: number + 1, Prompt: Text(line, "prompt"), Predict: predict, Label: label, Score: TextScores.Of(predict, label).RougeL);
        }).OrderBy(row => row.Score).ThenBy(row => row.Number);
        return new
        {
            rows = rows.Take(MostShown).Select(row => new
            {
                row.Number, Prompt = Cut(row.Prompt), Predict = Cut(row.Predict), Label = Cut(row.Label), row.Score,
            }),
            scored = Math.Min(lines.Count, MostScored),
            all = lines.Count,
        };
    }

    private static string Text(Dictionary<string, object?> line, string key) => line.GetValueOrDefault(key) as string ?? string.Empty;

    private static string Cut(string text) => text.Length <= MostText ? text : text[..MostText] + " …";
}
