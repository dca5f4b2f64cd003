using System.Diagnostics;
using Fovea.Evaluation.Running;

namespace Fovea.Cli.Views;

/// <summary>How far answering a benchmark is: one line that is written over in a terminal, and a line now and then elsewhere.</summary>
internal sealed class EvaluationView(TextWriter notes, bool plain)
{
    private static readonly TimeSpan Often = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan Rarely = TimeSpan.FromSeconds(30);

    private readonly Stopwatch since = Stopwatch.StartNew();
    private bool open;

    public void Show(BenchmarkProgress progress)
    {
        if (since.Elapsed < (plain ? Rarely : Often) && progress.Done < progress.Total)
        {
            return;
        }

        since.Restart();
        var left = progress.Remaining is { } time && progress.Done < progress.Total ? $", {Human.Clock(time)} left" : string.Empty;
        var text = $"answered {Human.Count(progress.Done)} of {Human.Count(progress.Total)}{left}";
        notes.Write(plain ? $"{text}\n" : $"\r{text}        ");
        open = !plain;
    }

    public void End()
    {
        if (open)
        {
            notes.WriteLine();
        }
    }
}
