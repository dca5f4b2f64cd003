using Fovea.Training.Planning;
using Spectre.Console;

namespace Fovea.Cli.Views;

/// <summary>Draws the table of a plan and says what fits.</summary>
internal static class PlanView
{
    public static void Render(IAnsiConsole console, MemoryPlan result)
    {
        var onHost = result.Device == "cpu";
        var patches = result.Patches > 0 ? $" and {result.Patches:N0} patches of images" : string.Empty;
        console.WriteLine(
            $"{result.Model} ({result.Family}): {result.Parameters:N0} weights, {result.TrainableParameters:N0} trainable; {result.Dtype}, "
            + $"micro-batches of {result.Tokens:N0} tokens{patches}, on {(onHost ? "the CPU" : "GPUs")}. Memory of one rank:");
        var table = new Table().Border(TableBorder.Rounded);
        string[] names =
        [
            "ranks", "zero", "offload", "weights", "gathered", "gradients", "optimizer", "activations", "buffers", "sum", onHost ? "mapped" : "host",
        ];
        foreach (var name in names)
        {
            table.AddColumn(name == "offload" ? new TableColumn(name) : new TableColumn(name).RightAligned());
        }

        var before = 0;
        foreach (var row in result.Rows)
        {
            if (before != 0 && before != row.Ranks)
            {
                table.AddEmptyRow();
            }

            before = row.Ranks;
            var sum = Human.Bytes(row.Device);
            table.AddRow(
                $"{row.Ranks}", $"{row.Zero}", row.Offload, Bytes(row.Weights), Bytes(row.Gathered), Bytes(row.Gradients), Bytes(row.Optimizer),
                Bytes(row.Activations), Bytes(row.Buffers), row.Fits switch { true => $"[green]{sum}[/]", false => $"[red]{sum}[/]", _ => $"[bold]{sum}[/]" },
                Bytes(onHost ? row.Mapped : row.Host));
        }

        console.Write(table);
        foreach (var (ranks, why) in result.LeftOut)
        {
            console.WriteLine($"{Count(ranks)}, left out: {why}");
        }

        if (result.Rows.Max(row => row.OffloadedActivations) is > 0 and var moved)
        {
            console.WriteLine($"The host's memory includes up to {Human.Bytes(moved)} of inputs of recomputed blocks (activation_offload).");
        }

        if (result.DeviceBytes is { } card)
        {
            Choices(console, result, card);
        }
    }

    private static void Choices(IAnsiConsole console, MemoryPlan result, long card)
    {
        console.WriteLine($"With {Human.Bytes(card)} for each rank, of which 95 % are counted on:");
        foreach (var ranks in result.Rows.Select(row => row.Ranks).Distinct())
        {
            if (result.Choices.FirstOrDefault(row => row.Ranks == ranks) is { } row)
            {
                var host = row.Host > 0 ? $", and {Human.Bytes(row.Host * ranks)} of the host for all {ranks}" : string.Empty;
                console.MarkupLineInterpolated($"  [green]{Count(ranks)}[/]: {string.Join(", ", PlanKeys.Lines(row))} ({Human.Bytes(row.Device)}{host})");
            }
            else
            {
                var least = result.Rows.Where(r => r.Ranks == ranks).MinBy(r => r.Device)!;
                var keys = string.Join(", ", PlanKeys.Lines(least));
                console.MarkupLineInterpolated($"  [red]{Count(ranks)}[/]: nothing fits; the least is {Human.Bytes(least.Device)} ({keys})");
            }
        }
    }

    public static string Count(int ranks) => ranks == 1 ? "1 rank" : $"{ranks} ranks";

    private static string Bytes(long bytes) => bytes == 0 ? "-" : Human.Bytes(bytes);
}
