using System.CommandLine;
using Fovea.Cli.Verbs;
using Fovea.Tensors;
using Fovea.Training.Session;
using Spectre.Console;

namespace Fovea.Bench.Verbs;

/// <summary><c>fovea bench 7b</c>: LoRA training steps of Qwen2.5-VL-7B at its true dimensions on a CUDA GPU.</summary>
internal static class BigBenchVerb
{
    public static Command Create()
    {
        var device = new Option<string>("--device") { Description = $"Device: {Devices.Names}.", DefaultValueFactory = _ => "auto" };
        var tokens = new Option<int>("--tokens") { Description = "Tokens per step, a multiple of 1024.", DefaultValueFactory = _ => 2048 };
        var steps = new Option<int>("--steps") { Description = "Number of measured steps, after three warm-up steps.", DefaultValueFactory = _ => 10 };
        var kept = new Option<int?>("--kept-blocks") { Description = "How many of the 28 blocks keep their activations; default: as many as memory allows." };
        var peak = new Option<double?>("--peak-tflops") { Description = "The GPU's peak bf16 TFLOP/s, for utilisation; default: by the GPU's name." };
        var dry = new Option<bool>("--dry-run") { Description = "Forward and backward on shapes alone, at true dimensions; operations and bytes by count." };
        var json = ResultFile.Option();
        var verb = new Command("7b", """
            Training steps of Qwen2.5-VL-7B (random weights, bf16, LoRA of rank 8, one image per sample) on a CUDA GPU: tokens/s, utilisation, peak memory.

              fovea bench 7b --tokens 8192
              fovea bench 7b --dry-run
            """)
        {
            device, tokens, steps, kept, peak, dry, json,
        };
        verb.SetAction(parsed =>
        {
            var result = StepThread.Run(() => BigBench.Run(
                parsed.GetValue(device)!, parsed.GetValue(tokens), Math.Max(1, parsed.GetValue(steps)), parsed.GetValue(kept), parsed.GetValue(peak),
                parsed.GetValue(dry), Console.Error.WriteLine));
            Print(result);
            ResultFile.Save(result, parsed.GetValue(json));
            return 0;
        });
        return verb;
    }

    private static void Print(BigResult r)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumn(r.DryRun ? "7b, by count" : "7b").AddColumn(new TableColumn("fovea").RightAligned());
        Row("tokens a step (trained)", $"{r.Tokens} ({r.TrainedTokens})");
        Row("weights (trainable)", $"{r.Parameters:N0} ({r.TrainableParameters:N0})");
        Row("TFLOP a step", $"{r.TflopPerStep:0.0}");
        Row("blocks that keep activations", $"{r.KeptBlocks} of 28");
        Row("GiB of weights / adapters / one block", $"{r.WeightGib:0.00} / {r.AdapterGib:0.00} / {r.ActivationGibPerBlock:0.00}");
        Row("GiB by count", $"{r.CountedGib:0.0}");
        if (!r.DryRun)
        {
            Row("seconds a step, median", $"{r.StepSecondsMedian:0.000}");
            Row("tokens/s", $"{r.TokensPerSecond:N0}");
            Row("TFLOP/s (of a plain product)", $"{r.TflopPerSecond:0} ({r.ProductTflopPerSecond:0})");
            Row("utilisation (of TFLOP/s)", r.Mfu is { } mfu ? $"{mfu:P1} ({r.PeakTflopPerSecond:0})" : "GPU not known, see --peak-tflops");
            Row("peak memory, GiB", $"{r.PeakMemoryGib:0.0}");
            Row("first and last loss", $"{r.Losses![0]:0.000}, {r.Losses[^1]:0.000}");
        }

        AnsiConsole.Write(table);
        AnsiConsole.WriteLine($"FLOP: {r.FlopDefinition}");
        AnsiConsole.WriteLine($"{r.Device}; CUDA: {r.CudaSupport}; libtorch {r.Libtorch}; commit {r.Commit}");

        void Row(string what, string value) => table.AddRow(what, value);
    }
}
