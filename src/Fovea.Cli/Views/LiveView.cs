using Fovea.Events;
using Fovea.Runs.Events;
using Spectre.Console;

namespace Fovea.Cli.Views;

/// <summary>
/// A run in a terminal: a bar and the current numbers stay at the bottom, what is worth keeping scrolls by above them, and a table closes it.
/// The display is drawn on the caller's thread only; Spectre's live region merely stays open in a waiting task.
/// </summary>
internal sealed class LiveView(IAnsiConsole console) : IEventSink, IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly RunProgress progress = new();
    private TaskCompletionSource? end;
    private Task? region;
    private LiveDisplayContext? live;
    private DateTimeOffset drawn;

    // The last column stays free: some terminals wrap when it is written to.
    private int Width => Math.Max(1, console.Profile.Width - 1);

    public void Write(RunEvent e)
    {
        progress.Take(e);
        switch (e)
        {
            case RunStarted start:
                Print(EventText.Header(start), Style.Plain);
                console.WriteLine();
                Open();
                break;
            case PredictionStarted start:
                Print(EventText.Header(start), Style.Plain);
                Open();
                break;
            case PredictionInterrupted stopped:
                Dispose();
                Print([EventText.Interrupted(stopped)], new Style(Color.Yellow));
                return;
            case PredictionFinished done:
                Dispose();
                Summarise(EventText.Summary(done));
                return;
            case StepDone or RowAnswered when e.Time - drawn < Pause && progress.Step < progress.TotalSteps:
                return;
            case StepLogged log:
                Print([$"{EventText.Numbers(log)} {log.Step}/{log.TotalSteps}"], new Style(Color.Grey));
                break;
            case Evaluated eval:
                Print([EventText.Evaluation(eval)], new Style(Color.Aqua));
                break;
            case CheckpointSaved saved:
                Print([$"saved {saved.Path}"], new Style(Color.Green));
                break;
            case SampleSkipped sample:
                Print(EventText.Skipped(sample, progress), new Style(Color.Yellow));
                break;
            case Notice notice:
                Print([$"note: {notice.Text}"], new Style(Color.Grey));
                break;
            case Warning warning:
                Print([$"warning: {warning.Text}"], new Style(Color.Yellow));
                break;
            case RunInterrupted run:
                Dispose();
                Print(EventText.Interrupted(run), new Style(Color.Yellow));
                return;
            case RunFailed:
                Dispose();
                return;
            case RunFinished run:
                Dispose();
                Summarise(EventText.Summary(run, progress));
                return;
        }

        Draw(e.Time);
    }

    /// <summary>Closes the live region and shows the cursor again.</summary>
    public void Dispose()
    {
        if (this.end is not null)
        {
            this.end.TrySetResult();
            region!.GetAwaiter().GetResult();
            (this.end, region, this.live) = (null, null, null);
        }
    }

    private void Open()
    {
        Dispose();
        this.end = new TaskCompletionSource();
        var end = this.end.Task;
        region = console.Live(Picture()).AutoClear(false).Overflow(VerticalOverflow.Crop).StartAsync(async live =>
        {
            this.live = live;
            await end.ConfigureAwait(false);
        });
    }

    private void Draw(DateTimeOffset now)
    {
        drawn = now;
        this.live?.UpdateTarget(Picture());
    }

    private Rows Picture()
    {
        var (done, left, label) = ProgressText.Bar(progress, Width);
        var bar = new Paragraph().Append(done, new Style(Color.DodgerBlue1)).Append(left, new Style(Color.Grey37)).Append(label, Style.Plain);
        return new Rows(bar, new Spectre.Console.Text(ProgressText.Details(progress, Width), new Style(Color.Grey)));
    }

    private void Print(IEnumerable<string> lines, Style style)
    {
        foreach (var line in lines)
        {
            console.Write(new ClearedText(line, style));
        }
    }

    private void Summarise(IReadOnlyList<(string Name, string Value)> rows)
    {
        // A path that a border would break in two cannot be copied: then plain lines serve better.
        const int frame = 8;
        if (rows.Max(row => row.Name.Length) + rows.Max(row => row.Value.Length) + frame > Width)
        {
            Print(rows.Select(row => $"{row.Name}: {row.Value}"), Style.Plain);
            return;
        }

        var table = new Table().Border(TableBorder.Rounded).BorderColor(Color.Grey37).HideHeaders().AddColumn(string.Empty).AddColumn(string.Empty);
        foreach (var (name, value) in rows)
        {
            table.AddRow(new Spectre.Console.Text(name, new Style(Color.Grey)), new Spectre.Console.Text(value));
        }

        console.Write(table);
    }
}
