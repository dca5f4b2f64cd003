using System.Globalization;
using Fovea.Events;
using Fovea.Runs.Events;
using Fovea.Runs.Files;

namespace Fovea.Runs.Charts;

/// <summary>
/// Draws <c>training_loss</c> and, where there was an evaluation, <c>training_eval_loss</c> as SVG and PNG into the output folder when the run
/// ends or is interrupted; besides the accuracy where it is measured, and every metric of generated answers. Datasets that are measured one by one have
/// pictures of their own.
/// </summary>
/// <param name="outputDir">The run's folder.</param>
/// <param name="history">Entries logged before a resumed run went on.</param>
internal sealed class LossCurveSink(string outputDir, IEnumerable<IReadOnlyDictionary<string, object?>>? history = null) : IEventSink
{
    private readonly List<IReadOnlyDictionary<string, object?>> entries = [.. history ?? []];
    private readonly SortedSet<string> others = new(StringComparer.Ordinal);
    private bool trained;

    public void Write(RunEvent e)
    {
        trained |= LogEntries.ShowTraining(e);
        if (LogEntries.For(e) is { } entry)
        {
            entries.Add(entry);
        }

        if (e is Evaluated evaluated)
        {
            var prefix = LogEntries.Prefix(evaluated);
            others.UnionWith(evaluated.AnswerMetrics.Keys.Select(name => prefix + name));
            if (evaluated.Dataset is not null)
            {
                others.UnionWith([$"{prefix}loss", $"{prefix}accuracy"]);
            }
        }

        if (trained && e is RunFinished or RunInterrupted or Evaluated { Final: true })
        {
            Draw("loss");
            Draw("eval_loss");
            Draw("eval_accuracy");
            foreach (var name in others)
            {
                Draw(name);
            }
        }
    }

    private void Draw(string key)
    {
        var points = entries
            .Where(entry => entry.ContainsKey(key) && entry.ContainsKey("step"))
            .Select(entry => (Number(entry["step"]), Number(entry[key])))
            .ToList();
        if (points.Count == 0)
        {
            return;
        }

        var chart = new CurveChart($"training {key} of {outputDir}", key, points);
        var (svg, png) = Render(chart);
        var path = Path.Combine(outputDir, $"training_{key}");
        AtomicFile.WriteText(path + ".svg", svg);
        AtomicFile.Write(path + ".png", stream => stream.Write(png));
    }

    /// <summary>The pictures of a chart. Where Skia cannot be loaded, the runtime wraps the cause in errors that do not say it.</summary>
    private static (string Svg, byte[] Png) Render(CurveChart chart)
    {
        try
        {
            return (chart.ToSvg(), chart.ToPng());
        }
        catch (Exception error) when (error is TypeInitializationException or DllNotFoundException or FileNotFoundException or EntryPointNotFoundException)
        {
            // The first line: after it the loader lists every place that it looked at.
            throw new InvalidOperationException($"the loss curve cannot be drawn: {error.GetBaseException().Message.Split('\n')[0]}", error);
        }
    }

    private static double Number(object? value) => System.Convert.ToDouble(value, CultureInfo.InvariantCulture);
}
