using System.Globalization;
using System.Text;
using Fovea.Board.Work;
using Fovea.Runs.Files;

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

    /// <summary>
    /// Settings as text by their keys, what holds them, and which were told rather than left at their defaults, if that is known; nothing for runs that have
    /// left neither a configuration nor a checkpoint.
    /// </summary>
    public static object Of(RootedFolder files, RunSummary run)
    {
        if (files.Read(run.File(ArgumentsSink.FileName), MostBytes) is { } arguments)
        {
            var given = Told(Encoding.UTF8.GetString(arguments));
            var others = FormKeys.Defaults.ExceptBy(given.Keys, pair => pair.Key);
            return new { from = ArgumentsSink.FileName, told = given.Keys, values = given.Concat(others).ToDictionary() };
        }

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

    /// <summary>The lines of a configuration that a run wrote.</summary>
    private static Dictionary<string, string> Told(string yaml)
    {
        var told = new Dictionary<string, string>();
        foreach (var line in yaml.Split('\n'))
        {
            if (line.IndexOf(": ", StringComparison.Ordinal) is > 0 and var end && line[0] != '#')
            {
                var value = line[(end + 2)..];
                told[line[..end]] = value[0] == '"' && LogLines.Object($"{{\"value\": {value}}}")?["value"] is string text ? text : value;
            }
        }

        return told;
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
