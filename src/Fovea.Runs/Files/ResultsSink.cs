using System.Text.Json;
using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Runs.Files;

/// <summary>
/// Writes <c>train_results.json</c>, <c>eval_results.json</c> and <c>predict_results.json</c>, and all together as <c>all_results.json</c>, as Transformers'
/// <c>save_metrics</c> does: indent of 4, sorted keys, no newline at the end.
/// </summary>
internal sealed class ResultsSink(string outputDir) : IEventSink
{
    // Datasets that are measured one by one share a file.
    private readonly Dictionary<string, object?> parts = [];

    public void Write(RunEvent e)
    {
        switch (e)
        {
            case RunFinished:
                Save("train", LogEntries.For(e)!);
                break;
            case Evaluated { Final: true, Dataset: null }:
                Save("eval", LogEntries.For(e)!);
                break;
            case Evaluated { Final: true }:
                foreach (var (key, value) in LogEntries.For(e)!)
                {
                    parts[key] = value;
                }

                Save("eval", new Dictionary<string, object?>(parts));
                break;
            case PredictionFinished predicted:
                Save("predict", LogEntries.Prediction(predicted));
                break;
        }
    }

    private void Save(string split, Dictionary<string, object?> metrics)
    {
        metrics.Remove("step");
        Replace($"{split}_results.json", metrics);
        var all = Existing("all_results.json");
        foreach (var (key, value) in metrics)
        {
            all[key] = value;
        }

        Replace("all_results.json", all);
    }

    private void Replace(string name, Dictionary<string, object?> values) =>
        AtomicFile.WriteText(Path.Combine(outputDir, name), PythonJson.Pretty(values, indent: 4));

    private Dictionary<string, object?> Existing(string name)
    {
        var path = Path.Combine(outputDir, name);
        try
        {
            return File.Exists(path) ? PythonJson.ReadObject(File.ReadAllText(path)) : [];
        }
        catch (JsonException)
        {
            return [];
        }
    }
}
