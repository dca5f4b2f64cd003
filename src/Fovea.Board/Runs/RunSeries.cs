using System.Text;
using Fovea.Runs.Files;

namespace Fovea.Board.Runs;

/// <summary>The numbers of a run over its steps. Of a log that grows, only what is new is read.</summary>
internal sealed class RunSeries(RootedFolder files)
{
    private const int MostPoints = 2000;
    private const int MostStateBytes = 256 << 20;
    private const int Remembered = 32;

    private static readonly string[] NoSeries = ["current_steps", "total_steps", "epoch", "percentage", "total_tokens"];
    private readonly Dictionary<string, GrowingLog> logs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, GrowingLog> histories = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string Stamp, List<(double Step, double Value)> Norms)> norms = new(StringComparer.Ordinal);
    private readonly Lock guard = new();

    /// <summary>
    /// Steps and values by the names of <c>trainer_log.jsonl</c>, and <c>grad_norm</c>; in long series the extremes of neighbours stand for all.
    /// </summary>
    public Dictionary<string, object> Of(RunSummary run)
    {
        lock (guard)
        {
            if (logs.Count > Remembered)
            {
                logs.Clear();
                histories.Clear();
                norms.Clear();
            }

            if (!logs.TryGetValue(run.Id, out var log))
            {
                (logs[run.Id], histories[run.Id]) = (log = new GrowingLog(), new GrowingLog());
            }

            var series = new Dictionary<string, List<(double Step, double Value)>>(StringComparer.Ordinal);
            foreach (var line in log.Lines(files, run.File(TrainerLogSink.FileName)))
            {
                if (line.Number("current_steps") is { } step)
                {
                    foreach (var key in line.Keys.Except(NoSeries))
                    {
                        if (line.Number(key) is { } value)
                        {
                            (series.TryGetValue(key, out var points) ? points : series[key] = []).Add((step, value));
                        }
                    }
                }
            }

            // Runs of other programs, and of earlier versions, have norms in the trainer's state alone.
            var history = NormsOf(histories[run.Id].Lines(files, run.File(LogHistorySink.FileName)));
            if ((history.Count > 0 ? history : Norms(run)) is { Count: > 0 } known)
            {
                series["grad_norm"] = known;
            }

            return series.ToDictionary(of => of.Key, of => Columns(of.Value));
        }
    }

    /// <summary>Norms as the trainer's state has them, which a run writes at its end and with each checkpoint.</summary>
    private List<(double Step, double Value)> Norms(RunSummary run)
    {
        var path = new[] { run.Folder }.Concat(RunSettings.Checkpoints(run)).Select(folder => Path.Combine(folder, TrainerState.FileName))
            .MaxBy(file => RootedFolder.Stamp(file).Changed)!;
        var stamp = $"{path} {RootedFolder.Stamp(path)}";
        if (!norms.TryGetValue(run.Id, out var found) || found.Stamp != stamp)
        {
            var state = files.Read(path, MostStateBytes) is { } bytes ? LogLines.Object(Encoding.UTF8.GetString(bytes)) : null;
            var history = (state?.GetValueOrDefault("log_history") as List<object?> ?? []).OfType<Dictionary<string, object?>>();
            norms[run.Id] = found = (stamp, NormsOf(history));
        }

        return found.Norms;
    }

    private static List<(double Step, double Value)> NormsOf(IEnumerable<Dictionary<string, object?>> history) =>
    [
        .. from entry in history
           let step = entry.Number("step")
           let norm = entry.Number("grad_norm")
           where step is not null && norm is not null
           select (step.Value, norm.Value),
    ];

    private static object Columns(List<(double Step, double Value)> points)
    {
        var shown = points;
        if (points.Count > MostPoints)
        {
            var size = (int)Math.Ceiling(2.0 * points.Count / MostPoints);
            shown = [];
            foreach (var bucket in points.Chunk(size))
            {
                var (low, high) = (bucket.MinBy(point => point.Value), bucket.MaxBy(point => point.Value));
                shown.AddRange(low.Step <= high.Step ? [low, high] : [high, low]);
            }
        }

        return new { steps = shown.ConvertAll(point => point.Step), values = shown.ConvertAll(point => point.Value), of = points.Count };
    }
}
