using System.Globalization;
using System.Text;

namespace Fovea.Board.Runs;

/// <summary>What a run was told and what came out, as its files keep it.</summary>
internal static class RunSettings
{
    private const int MostBytes = 16 << 20;
    private const string StateFile = "fovea_state.json";
    private static readonly string[] Facts = ["base_model", "template", "samples", "samples_per_step", "total_steps"];

    /// <summary>The folders of a run's checkpoints, the last step first.</summary>
    public static IEnumerable<string> Checkpoints(RunSummary run) => Directory.Exists(run.Folder)
        ? Directory.EnumerateDirectories(run.Folder, "checkpoint-*")
            .Where(folder => StepOf(folder) >= 0).OrderByDescending(StepOf)
        : [];

    /// <summary>Settings as text by their keys, and the checkpoint that holds them; both are missing before the first checkpoint.</summary>
    public static object Of(RootedFolder files, RunSummary run)
    {
        foreach (var folder in Checkpoints(run))
        {
            if (ReadObject(files, Path.Combine(folder, StateFile)) is { } state && state.GetValueOrDefault("settings") is Dictionary<string, object?> settings)
            {
                var values = Facts.Where(state.ContainsKey).ToDictionary(key => key, key => Text(state[key]));
                foreach (var (key, value) in settings)
                {
                    values[key] = Text(value);
                }

                return new { from = Path.GetFileName(folder), values };
            }
        }

        return new { };
    }

    /// <summary>The numbers of <c>all_results.json</c>.</summary>
    public static Dictionary<string, double> Results(RootedFolder files, RunSummary run)
    {
        var all = ReadObject(files, run.File("all_results.json")) ?? [];
        return all.Keys.Where(key => all.Number(key) is not null).ToDictionary(key => key, key => all.Number(key)!.Value);
    }

    private static Dictionary<string, object?>? ReadObject(RootedFolder files, string path) =>
        files.Read(path, MostBytes) is { } bytes ? LogLines.Object(Encoding.UTF8.GetString(bytes)) : null;

    private static int StepOf(string folder) =>
        int.TryParse(Path.GetFileName(folder).AsSpan("checkpoint-".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var step) ? step : -1;

    private static string Text(object? value) => value switch
    {
        null => "null",
        string text => text,
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => PythonJson.TextLine(value),
    };
}
