using System.Globalization;

namespace Fovea.Cli.Views;

/// <summary>The two lines of the live display, cut to the terminal's width: never wider, whatever the width.</summary>
internal static class ProgressText
{
    private const char Full = '━';
    private const char Empty = '─';

    /// <summary>Bar, step, share and time left: <c>━━━━───── 12/204  6 %  0:11:31 left</c>. Narrow: the least important go.</summary>
    public static (string Done, string Left, string Label) Bar(RunProgress progress, int width)
    {
        var share = progress.TotalSteps > 0 ? Math.Clamp((double)progress.Step / progress.TotalSteps, 0, 1) : 0;
        var steps = $" {progress.Step}/{progress.TotalSteps}";
        var percent = string.Create(CultureInfo.InvariantCulture, $"  {share * 100:0} %");
        var left = progress.Remaining is { } time ? $"  {Human.Clock(time)} left" : string.Empty;
        var label = FirstThatFits(Math.Max(0, width - 8), steps + percent + left, steps + percent, steps);
        if (label is null)
        {
            return (string.Empty, string.Empty, Cut(steps.TrimStart(), width));
        }

        var cells = Math.Clamp(width - label.Length, 0, 48);
        var done = (int)Math.Round(share * cells);
        return (new string(Full, done), new string(Empty, cells - done), label);
    }

    /// <summary>Loss, learning rate, speed and memory, as many as fit.</summary>
    public static string Details(RunProgress progress, int width)
    {
        var parts = new List<string>();
        void Add(string? part)
        {
            if (part is not null && parts.Sum(p => p.Length + 3) + part.Length <= width)
            {
                parts.Add(part);
            }
        }

        Add(progress.Loss is { } loss ? $"loss {Human.Real(loss)}" : null);
        Add(progress.LearningRate is { } rate ? $"lr {Human.Real(rate)}" : null);
        Add(progress.TokensPerSecond is { } speed ? $"{Human.Count(speed)} tokens/s" : null);
        Add(progress.RowsPerSecond is { } rows ? $"{Human.Real(rows)} rows/s" : null);
        Add(progress.MemoryBytes is { } bytes ? Human.Bytes(bytes) : null);
        Add(progress.Skipped > 0 ? $"{progress.Skipped} skipped" : null);
        Add($"{Human.Clock(progress.Elapsed)} elapsed");
        return string.Join(" · ", parts);
    }

    /// <summary>Shortens a text to a width, ending in an ellipsis.</summary>
    public static string Cut(string text, int width) => text.Length <= width ? text : width <= 1 ? text[..Math.Max(0, width)] : text[..(width - 1)] + "…";

    private static string? FirstThatFits(int width, params string[] texts) => Array.Find(texts, text => text.Length <= width);
}
