using System.CommandLine;
using Fovea.Cli.Views;
using System.Globalization;
using Fovea.Data.Datasets;
using Fovea.Data.Objects;
using Fovea.Training.Config;
using Fovea.Training.Session;
using Spectre.Console;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea data check CONFIG</c>: what training would see, and every row that it could not use.</summary>
internal static class DataVerb
{
    // What a shell expects of a program that Ctrl-C ended.
    private const int Interrupted = 130;

    public static Command Create()
    {
        var config = new Argument<string>("CONFIG") { Description = "YAML or JSON file of a run." }.IsPath();
        var overrides = new Argument<string[]>("KEY=VALUE") { Description = "Overrides for keys of the file.", Arity = ArgumentArity.ZeroOrMore };
        var decode = new Option<bool>("--decode")
        {
            Description = $"Decode every image in full, not only {DataCheck.DecodedByDefault} of them (slower; finds all truncated files).",
        };
        var rows = new Option<int>("--rows") { Description = "Maximum number of rejected rows to list.", DefaultValueFactory = _ => 20 };
        var check = new Command("check", """
            Check the datasets of a configuration: counts, unusable rows with reasons, and one sample as the model sees it, turn by turn.

            Counts samples, tokens, images and trained tokens. Trained tokens are highlighted in the sample, in its text and its ids.
            Exits with 1 if training would reject a row.

            Example:
              fovea data check examples/qwen2_5vl_lora_sft.yaml dataset=my_data.json
            """)
        {
            config, overrides, decode, rows,
        };
        check.SetAction((parsed, cancellation) =>
        {
            var train = TrainConfig.Load(parsed.GetRequiredValue(config), parsed.GetValue(overrides), ConfigUse.Data);
            DataReport report;
            try
            {
                report = Check(train, parsed.GetValue(decode) ? int.MaxValue : DataCheck.DecodedByDefault, cancellation);
            }
            catch (OperationCanceledException)
            {
                return Task.FromResult(Interrupted);
            }

            if (Console.IsOutputRedirected)
            {
                // A message is a line, whatever its length.
                AnsiConsole.Profile.Width = 2000;
                AnsiConsole.Profile.Capabilities.Ansi = false;
            }

            Render(AnsiConsole.Console, report, parsed.GetValue(rows));
            return Task.FromResult(report.Rejected.Count > 0 && train.Data.OnBadSample == BadSamplePolicy.Error ? 1 : 0);
        });
        return new Command("data", "Inspect datasets.") { check };
    }

    /// <summary>What training would see of the data, and the notices that it would begin with.</summary>
    internal static DataReport Check(TrainConfig config, int decode, CancellationToken cancellation)
    {
        config = HubNames.Locate(config, progress: FetchProgress.On(Console.Error), weights: false, cancel: cancellation);
        var setup = DataSetup.From(config, BaseModel.Open(config));
        var report = DataCheck.Run(setup.Options, setup.Tokenizer, setup.Images, setup.NewEncoder(), decode, cancellation);
        return report with { Notices = [.. config.Notices, .. setup.Notices, .. report.Notices] };
    }

    internal static void Render(IAnsiConsole console, DataReport report, int rows)
    {
        var grid = new Grid().AddColumn(new GridColumn().NoWrap()).AddColumn();
        foreach (var set in report.Datasets)
        {
            var tooLong = set.TooLong > 0 ? $" ({set.TooLong:N0} too long)" : string.Empty;
            var rejected = set.Rejected == 0 ? "none rejected" : $"[red]{set.Rejected:N0} rejected[/]{tooLong}";
            grid.AddRow(
                $"[bold]{Markup.Escape(set.Name)}[/]" + (set.ForEvaluation ? " (evaluation)" : string.Empty),
                $"{set.Samples:N0} samples of {set.Rows:N0} rows, {set.Images:N0} images; {set.Truncated:N0} truncated, {rejected}\n" +
                $"{set.Tokens:N0} tokens, {set.TrainedTokens:N0} of them trained; a sample has p50 {set.MedianTokens:N0}, p95 {set.P95Tokens:N0}, " +
                $"max {set.MaxTokens:N0}");
        }

        console.Write(grid);
        foreach (var set in report.Datasets.Where(s => s.Untrained > 0))
        {
            var why = set.Truncated > 0 ? "after truncation; raise cutoff_len" : "by loss, loss_scale or its map";
            console.MarkupLineInterpolated($"[yellow]{set.Name}: in {set.Untrained:N0} samples nothing is left to train {why}[/]");
        }

        var images = report.Datasets.Sum(set => (long)set.Images);
        if (images > report.Decoded)
        {
            console.WriteLine($"{report.Decoded:N0} of {images:N0} images were decoded, drawn by a fixed seed; --decode decodes all");
        }

        foreach (var notice in report.Notices)
        {
            console.MarkupLineInterpolated($"[yellow]{notice}[/]");
        }

        foreach (var (line, isLeak) in report.Duplicates.Lines)
        {
            console.MarkupLine($"[{(isLeak ? "red" : "yellow")}]{Markup.Escape(line)}[/]");
        }

        if (report.Example.Count > 0)
        {
            // Where there are no colours, signs say what they would.
            var (open, close) = console.Profile.Capabilities.Ansi ? (string.Empty, string.Empty) : (">>", "<<");
            console.WriteLine();
            console.MarkupLineInterpolated(
                $"[bold]{report.ExampleName}[/] as the model sees it; [black on green]{open}trained{close}[/] is what it is trained on:");
            for (var i = 0; i < report.Turns.Count; i++)
            {
                var turn = report.Turns[i];
                console.MarkupLineInterpolated($"[bold]turn {i + 1}[/]: {turn.Tokens:N0} tokens, {turn.Trained:N0} of them trained");
                foreach (var span in turn.Text)
                {
                    console.Markup(Marked(span with { Text = span.Trained ? Visible(span.Text) : span.Text }));
                }

                console.WriteLine();
                console.MarkupLine("[bold]ids[/]: " + string.Join(' ', turn.Ids.Select(Marked)));
            }

            foreach (var (place, frame, numbers, _) in report.Places)
            {
                var kind = place is ObjectBox ? "box" : "point";
                var pixels = string.Join(", ", ObjectFrame.Numbers(place).Select(n => n.Value.ToString("0.##", CultureInfo.InvariantCulture)));
                console.WriteLine($"{kind} in image {place.ImageIndex} ({frame.Width} x {frame.Height}): {pixels} -> {string.Join(", ", numbers)} "
                    + $"of {frame.ModelWidth} x {frame.ModelHeight}");
            }

            string Marked(ExampleSpan span) =>
                span.Trained ? $"[black on green]{open}{Markup.Escape(span.Text)}{close}[/]{Weight(span)}" : Markup.Escape(span.Text);

            static string Weight(ExampleSpan span) =>
                span.Weight == 1 ? string.Empty : string.Create(CultureInfo.InvariantCulture, $"[bold]×{span.Weight}[/]");
        }

        RenderRejected(console, report, rows);
    }

    private static void RenderRejected(IAnsiConsole console, DataReport report, int rows)
    {
        if (report.Rejected.Count == 0)
        {
            return;
        }

        console.WriteLine();
        console.MarkupLineInterpolated($"[red]{report.RejectedRows:N0} rows cannot be used:[/]");
        foreach (var bad in report.Rejected.Take(rows))
        {
            console.WriteLine($"  {bad}");
        }

        if (report.Rejected.Count > rows)
        {
            console.WriteLine($"  and {report.RejectedRows - rows:N0} more (--rows {report.Rejected.Count})");
        }

        console.WriteLine("Fix them, or set on_bad_sample: skip to drop them.");
    }

    // A trained line break ends the answer: it is shown, since a highlighted one cannot be seen.
    private static string Visible(string text) => text.Replace("\n", "\u21b5\n", StringComparison.Ordinal);
}
