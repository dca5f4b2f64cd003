using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Cli.Verbs;
using Fovea.Tensors;
using Spectre.Console;

namespace Fovea.Bench;

/// <summary>Results as a table for people and as JSON for programs.</summary>
internal static class BenchOutput
{
    private static readonly JsonSerializerOptions OneLine = new(ResultFile.Json) { WriteIndented = false };

    public static T FromJson<T>(JsonNode json) => json.Deserialize<T>(ResultFile.Json) ?? throw new JsonException("nothing there");

    /// <summary>One line, for another process.</summary>
    public static string ToLine<T>(T result) => JsonSerializer.Serialize(result, OneLine);

    public static void Print(MidResult r)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumn($"mid, {r.Dtype}").AddColumn(new TableColumn("fovea").RightAligned());
        if (r.Peer is { } peer)
        {
            table.AddColumn(new TableColumn($"PyTorch {peer.Torch}").RightAligned()).AddColumn(new TableColumn("ratio").RightAligned());
        }

        Row("seconds a step, median", r.StepSecondsMedian, p => p.StepSecondsMedian, p => p.SpeedRatioMedian, "0.000");
        Row("seconds a step, best", r.StepSecondsBest, p => p.StepSecondsBest, p => p.SpeedRatioBest, "0.000");
        if (r.Peer?.CachedStepSecondsMedian is not null)
        {
            Row("  both with cached features", r.StepSecondsMedian, p => p.CachedStepSecondsMedian!.Value,
                p => p.SpeedRatioMedianBothCached!.Value, "0.000");
        }

        Row("processor seconds a step", r.StepCpuSecondsMedian, p => p.StepCpuSecondsMedian, p => p.SpeedRatioCpu, "0.000");
        Row("tokens/s, best", r.TokensPerSecond, p => p.TokensPerSecond, p => p.SpeedRatioBest, "0");
        Row("floor: matrix products alone, s", r.FloorSeconds, null, null, "0.000");
        Row("floor, best, s", r.FloorSecondsBest, null, null, "0.000");
        Row("step over floor, medians", r.StepOverFloor, null, null, "0.00");
        Row("GFLOP/s of the products, best", r.GemmGflopPerSecond, null, null, "0");
        Row("peak resident memory, MiB", r.PeakRssMib, p => p.PeakRssMib, p => p.MemoryRatio, "0");
        Row("peak anonymous memory, MiB", r.PeakAnonMib, p => p.PeakAnonMib, p => r.PeakAnonMib / p.PeakAnonMib, "0");
        Row("first loss", r.Losses[0], null, null, "0.0000");
        Row("last loss", r.Losses[^1], p => p.Losses[^1], null, "0.0000");
        AnsiConsole.Write(table);
        AnsiConsole.WriteLine(
            $"{r.Hardware}; {r.Threads} threads; libtorch {r.Libtorch}; commit {r.Commit}"
            + (r.Recompute ? "; recompute" : string.Empty) + (r.CachedVision ? "; cached vision" : string.Empty));

        void Row(string what, double ours, Func<PeerResult, double>? theirs, Func<PeerResult, double>? ratio, string format)
        {
            List<string> cells = [what, Number(ours, format)];
            if (r.Peer is { } p)
            {
                cells.Add(theirs is null ? string.Empty : Number(theirs(p), format));
                cells.Add(ratio is null ? string.Empty : Number(ratio(p), "0.00"));
            }

            table.AddRow([.. cells]);
        }
    }

    public static void Print(DemoBenchResult r)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumn($"demo, {r.Dtype}").AddColumn(new TableColumn("fovea").RightAligned());
        if (r.Peer is not null)
        {
            table.AddColumn(new TableColumn("PyTorch").RightAligned()).AddColumn(new TableColumn("ratio").RightAligned());
        }

        var first = r.Fovea.Rounds[0];
        Row("training without start-up, s", s => s.TrainSeconds, r.SamplesPerSecondRatio, "0.0");
        Row("  processor seconds", s => s.TrainCpuSeconds, r.SpeedRatioCpu, "0.0");
        Row("samples/s", s => s.SamplesPerSecond, r.SamplesPerSecondRatio, "0.00");
        Row("samples/s, best", s => s.SamplesPerSecondBest, r.SamplesPerSecondRatioBest, "0.00");
        Row("tokens/s", s => s.TokensPerSecond, r.SamplesPerSecondRatio, "0");
        Row("start-up, s", s => s.StartupSeconds, r.Peer?.StartupSeconds / r.Fovea.StartupSeconds, "0.0");
        Row("peak resident memory, MiB", s => s.PeakRssMib, r.PeakRssRatio, "0");
        Row("peak anonymous memory, MiB", s => s.PeakAnonMib, r.PeakAnonRatio, "0");
        Row("waiting for data, %", s => s.DataWaitShare * 100, null, "0.0");
        Row("first loss", s => s.Rounds[0].Losses[0], null, "0.0000");
        Row("last loss", s => s.Rounds[0].Losses[^1], null, "0.0000");
        AnsiConsole.Write(table);
        AnsiConsole.WriteLine($"{first.Samples} samples, {first.Tokens} tokens, {first.Steps} steps: {r.Config}");
        AnsiConsole.WriteLine(
            $"{r.Hardware}; {r.Threads} threads; {r.Fovea.Software}; commit {r.Commit}" + (r.Peer is { } p ? $"; {p.Software}" : string.Empty));

        void Row(string what, Func<DemoSide, double?> figure, double? ratio, string format)
        {
            List<string> cells = [what, Cell(figure(r.Fovea), format)];
            if (r.Peer is not null)
            {
                cells.AddRange([Cell(figure(r.Peer), format), Cell(ratio, "0.00")]);
            }

            table.AddRow([.. cells]);
        }
    }

    public static void Print(SmallResult r)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumn(r.Job).AddColumn(new TableColumn("fovea").RightAligned());
        if (r.Peer is not null)
        {
            table.AddColumn(new TableColumn("peer").RightAligned()).AddColumn(new TableColumn("ratio").RightAligned());
        }

        foreach (var (name, value) in r.Figures)
        {
            List<string> cells = [name.Replace('_', ' '), Number(value, "#,0.###")];
            if (r.Peer is not null)
            {
                cells.AddRange([Number(r.Peer[name], "#,0.###"), Number(r.Ratios![name], "0.00")]);
            }

            table.AddRow([.. cells]);
        }

        foreach (var (name, value) in r.Floors ?? new Dictionary<string, double>())
        {
            table.AddRow(name.Replace('_', ' '), Number(value, "#,0.###"));
        }

        AnsiConsole.Write(table);
        if (r.Settings is not null)
        {
            AnsiConsole.WriteLine(r.Settings);
        }

        AnsiConsole.WriteLine($"{r.Hardware}; {(r.Libtorch is null ? string.Empty : $"libtorch {r.Libtorch}; ")}commit {r.Commit}");
    }

    public static void Print(ProductResult r)
    {
        var names = Enum.GetValues<ProductKernel>().Select(ProductChoice.NameOf).Where(name => r.Rows.Any(row => row.Rates.ContainsKey(name))).ToList();
        var table = new Table().Border(TableBorder.Rounded).AddColumn("GFLOP/s, medians");
        foreach (var column in names.Append("% of peak"))
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        foreach (var row in r.Rows)
        {
            table.AddRow([
                $"{row.Type} {row.Shape.Replace(" x ", "x", StringComparison.Ordinal)} {Symbol(row.Form)}",
                .. names.Select(name => row.Rates.TryGetValue(name, out var rate) ? Number(rate, "0") : string.Empty),
                Number(100 * row.Rates.Values.Max() / r.PeakFp32, "0"),
            ]);
        }

        AnsiConsole.Write(table);
        AnsiConsole.WriteLine($"in registers: fp32 {Number(r.PeakFp32, "0")} GFLOP/s"
            + (r.PeakPairs > 0 ? $", bf16 pairs {Number(r.PeakPairs, "0")}" : string.Empty) + $"; a new run uses {r.Chosen}");
        AnsiConsole.WriteLine($"{r.Hardware}; {r.Threads} threads; libtorch {r.Libtorch}; commit {r.Commit}");
    }

    private static string Symbol(string form) => form switch { "Forward" => "y", "InputGradient" => "dx", _ => "dW" };

    private static string Cell(double? value, string format) => value is { } number ? Number(number, format) : string.Empty;

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
