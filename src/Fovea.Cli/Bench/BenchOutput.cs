using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Spectre.Console;

namespace Fovea.Cli.Bench;

/// <summary>Results as a table for people and as JSON for programs.</summary>
public static class BenchOutput
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull,
    };

    public static string ToJson<T>(T result) => JsonSerializer.Serialize(result, Json);

    /// <summary>Writes the JSON file when one was asked for.</summary>
    public static void Save<T>(T result, string? path)
    {
        if (path is not null)
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder)
            {
                Directory.CreateDirectory(folder);
            }

            File.WriteAllText(path, ToJson(result) + "\n");
        }
    }

    public static void Print(MidResult r)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumn($"mid, {r.Dtype}").AddColumn(new TableColumn("fovea").RightAligned());
        if (r.Peer is { } peer)
        {
            table.AddColumn(new TableColumn($"PyTorch {peer.Torch}").RightAligned()).AddColumn(new TableColumn("ratio").RightAligned());
        }

        Row("seconds a step, median", r.StepSecondsMedian, p => p.StepSecondsMedian, p => p.SpeedRatioMedian, "0.000");
        Row("seconds a step, best", r.StepSecondsBest, p => p.StepSecondsBest, p => p.SpeedRatioBest, "0.000");
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

        AnsiConsole.Write(table);
        AnsiConsole.WriteLine($"{r.Hardware}; commit {r.Commit}");
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
