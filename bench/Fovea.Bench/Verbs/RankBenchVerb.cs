using System.CommandLine;
using System.Text.Json.Nodes;
using Fovea.Cli.Verbs;
using Fovea.Distributed;
using Fovea.Tensors;
using Fovea.Training.Session;
using Spectre.Console;

namespace Fovea.Bench.Verbs;

/// <summary><c>fovea bench ranks</c></summary>
internal static class RankBenchVerb
{
    public static Command Create()
    {
        var ranks = new Option<string>("--ranks") { Description = "Numbers of processes.", DefaultValueFactory = _ => "1,2,4" };
        var stages = new Option<string>("--zero") { Description = "ZeRO stages; 0 is data parallel.", DefaultValueFactory = _ => "0,1,2,3" };
        var full = new Option<bool>("--full") { Description = "Full fine-tuning of the language model instead of adapters." };
        var steps = new Option<int>("--steps") { Description = "Number of measured steps.", DefaultValueFactory = _ => 3 };
        var tokens = new Option<int?>("--tokens") { Description = "Tokens per sample, text only; default: 512 with an image." };
        var dtype = BenchVerb.DTypeOption();
        var json = ResultFile.Option();
        var once = new Option<string?>("--once") { Description = "One rank of one setting, as JSON.", Hidden = true };
        var verb = new Command("ranks", """
            Data parallel and each ZeRO stage over processes on this machine, one thread each.

            Reports step time, how much of the communication is hidden behind computation, bytes sent, and tensors in memory.

              fovea bench ranks
              fovea bench ranks --ranks 1,2 --zero 0,3 --full --json ranks.json
            """)
        {
            ranks, stages, full, steps, tokens, dtype, json, once,
        };
        verb.SetAction(parsed =>
        {
            if (parsed.GetValue(once) is { } line)
            {
                var options = BenchOutput.FromJson<RankOptions>(JsonNode.Parse(line)!);
                Torch.Threads = 1;
                using var mesh = Mesh.Join(RankVariables.Read(), TimeSpan.FromMinutes(10));
                Console.WriteLine(BenchOutput.ToLine(StepThread.Run(() => RankJob.Run(options, mesh))));
                return 0;
            }

            var results = StepThread.Run(() => RankBench.Run(
                Numbers(parsed.GetValue(ranks)!, "--ranks", 1, 64), Numbers(parsed.GetValue(stages)!, "--zero", 0, 3), parsed.GetValue(full),
                Math.Max(1, parsed.GetValue(steps)), BenchVerb.TypeOf(parsed.GetValue(dtype)) == DType.F32,
                parsed.GetValue(tokens) is { } count ? Math.Max(2, count) : null, Console.Error.WriteLine));
            Print(results);
            ResultFile.Save(results, parsed.GetValue(json));
            return 0;
        });
        return verb;
    }

    private static void Print(IReadOnlyList<RankResult> results)
    {
        var table = new Table().Border(TableBorder.Rounded);
        string[] columns =
        [
            "ranks", "zero", "s a step", "waiting s", "communicating s", "of it hidden", "MB sent, theory", "MB, TCP", "resident MiB", "peak MiB", "loss",
        ];
        foreach (var column in columns)
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        foreach (var r in results)
        {
            table.AddRow(
                $"{r.Ranks}", $"{r.Zero}", $"{r.StepSecondsMedian:0.00}", $"{r.WaitingSeconds:0.00}",
                $"{r.CommunicationSeconds:0.00}", r.Ranks == 1 ? "-" : $"{100 * r.HiddenShare:0} %",
                $"{r.TheoryMegabytes:0.0}", $"{r.WireMegabytes:0.0}",
                $"{r.ResidentMebibytes:0}", $"{r.PeakMebibytes:0}", $"{r.Loss:0.0000}");
        }

        AnsiConsole.Write(table);
        var what = results[0].Full ? "full" : "LoRA";
        AnsiConsole.WriteLine($"{what}, {results[0].ModelMegabytes:0} MB of weights as they are used; {Machine.Describe()}; commit {Machine.Commit}");
    }

    private static int[] Numbers(string text, string option, int least, int most)
    {
        var numbers = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(part => int.TryParse(part, out var number) && number >= least && number <= most ? number : -1).ToArray();
        return numbers.Length > 0 && numbers.All(number => number >= 0)
            ? numbers
            : throw new ConfigException($"{option} is {text}: numbers from {least} to {most} with commas between them are needed");
    }
}
