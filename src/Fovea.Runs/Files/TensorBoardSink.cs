using System.Globalization;
using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Runs.Files;

/// <summary>
/// TensorBoard scalars under the tags of Transformers' callback: <c>train/loss</c>, <c>train/learning_rate</c>, <c>train/grad_norm</c>,
/// <c>train/epoch</c>, <c>eval/loss</c>, and at the end <c>train/train_loss</c> and its like; <c>train/tokens_per_second</c> is our own.
/// </summary>
/// <param name="outputDir">The run's folder.</param>
/// <param name="loggingDir">Folder of the event files; null is <c>output_dir/runs/DATE_HOST</c>.</param>
internal sealed class TensorBoardSink(string outputDir, string? loggingDir = null) : IEventSink, IDisposable
{
    private TensorBoardWriter? writer;

    public void Write(RunEvent e)
    {
        if (LogEntries.For(e) is not { } entry)
        {
            return;
        }

        writer ??= new TensorBoardWriter(loggingDir ?? Path.Combine(outputDir, "runs", DefaultName(e.Time)), e.Time);
        var step = System.Convert.ToInt64(entry["step"], CultureInfo.InvariantCulture);
        entry.Remove("step");
        if (e is StepLogged { TokensPerSecond: { } rate })
        {
            entry["tokens_per_second"] = rate;
        }

        writer.Scalars(e.Time, step, entry.Where(pair => pair.Value is not null).Select(pair => KeyValuePair.Create(TagOf(pair.Key), (double)pair.Value!)));
    }

    public void Dispose() => writer?.Dispose();

    private static string TagOf(string key) => key.StartsWith("eval_", StringComparison.Ordinal) ? $"eval/{key[5..]}" : $"train/{key}";

    private static string DefaultName(DateTimeOffset time) =>
        $"{time.ToLocalTime().ToString("MMMdd_HH-mm-ss", CultureInfo.InvariantCulture)}_{Environment.MachineName}";
}
