namespace Fovea.Runs.Files;

/// <summary>The files of a run's folder that hold generated answers.</summary>
internal static class PredictionFiles
{
    /// <summary>The answers, in LLaMA-Factory's form.</summary>
    public const string Answers = "generated_predictions.jsonl";

    /// <summary>Their scores.</summary>
    public const string Scores = "predict_results.json";

    /// <summary>The page to look at them.</summary>
    public const string Report = "predictions.html";

    /// <summary>The folder of answers as they come, from which an interrupted call goes on.</summary>
    public const string Log = ".predictions";

    /// <summary>All that a call writes before there was any training.</summary>
    public static IReadOnlyList<string> Names { get; } = [Answers, Scores, Report, Log, "all_results.json", RunningLogSink.FileName];

    /// <summary>Replaces <see cref="Answers"/>: an object a line, in the order of the samples, text as it is.</summary>
    /// <param name="rows">Prompt, answer and label of each sample.</param>
    public static void Write(string folder, IEnumerable<(string Prompt, string Predict, string Label)> rows) =>
        AtomicFile.WriteText(Path.Combine(folder, Answers), string.Concat(rows.Select(row => PythonJson.TextLine(
            new Dictionary<string, object?> { ["prompt"] = row.Prompt, ["predict"] = row.Predict, ["label"] = row.Label }) + "\n")));
}
