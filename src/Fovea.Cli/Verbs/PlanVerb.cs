using System.CommandLine;
using System.Globalization;
using Fovea.Cli.Views;
using Fovea.Training.Config;
using Fovea.Training.Session;
using Fovea.Training.Planning;
using Spectre.Console;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea plan CONFIG</c>: the memory of a run under each setting of ZeRO, before anything is loaded.</summary>
internal static class PlanVerb
{
    public static Command Create()
    {
        var path = new Argument<string>("CONFIG") { Description = "YAML or JSON file of the run." }.IsPath();
        var overrides = new Argument<string[]>("KEY=VALUE") { Description = "Overrides for keys of the file.", Arity = ArgumentArity.ZeroOrMore };
        var ranks = new Option<string>("--ranks") { Description = "Numbers of processes, one per GPU.", DefaultValueFactory = _ => "1,2,4,8" };
        var zero = new Option<string?>("--zero") { Description = "ZeRO stages, of 0,1,2,3; default: those that make sense." };
        var offload = new Option<string?>("--offload")
        {
            Description = "Offload, of none,optimizer,cpu; without a value: optimizer,cpu; default: all three.", Arity = ArgumentArity.ZeroOrOne,
        };
        var card = new Option<string?>("--card") { Description = "Memory of one GPU, for instance 24GiB: reports what fits." };
        var length = new Option<int?>("--length") { Description = "Tokens of the longest sample; default: cutoff_len." };
        var json = ResultFile.Option("Also write the table to this file, as JSON.");
        var write = new Option<bool>("--write") { Description = "Write the setting that fits on the fewest ranks to CONFIG (zero, offload)." };
        var verb = new Command("plan", """
            Estimate a run's memory per rank, for numbers of ranks and ZeRO stages, and what fits a GPU.

            Uses only the configuration and the checkpoint's config.json: weights, gradients, optimizer, activations and buffers of one rank.
            The weights themselves need not be present.

            Examples:
              fovea plan examples/qwen2_5vl_lora_sft.yaml
              fovea plan examples/qwen2_5vl_lora_sft.yaml --ranks 2,4 --card 24GiB
              fovea plan run.yaml finetuning_type=full --ranks 8 --zero 3 --offload cpu --length 4096
              fovea plan run.yaml --ranks 4 --card 48GiB --write
            """)
        {
            path, overrides, ranks, zero, offload, card, length, json, write,
        };
        verb.SetAction(parsed =>
        {
            var problems = new List<string>();
            var memory = parsed.GetValue(card) is { } text ? Memory(text, problems) : null;
            var options = new MemoryPlanRequest
            {
                Ranks = Numbers("--ranks", parsed.GetValue(ranks)!, 1, 1 << 20, problems),
                Stages = parsed.GetValue(zero) is { } stages ? Numbers("--zero", stages, 0, 3, problems) : null,
                Offloads = Offloads(parsed.GetValue(offload) ?? (parsed.GetResult(offload) is null ? "none,optimizer,cpu" : "optimizer,cpu"), problems),
                DeviceBytes = memory?.Bytes,
                Length = parsed.GetValue(length),
            };
            if (options.Length < 1)
            {
                problems.Add($"--length {options.Length}: it must be at least 1");
            }

            if (problems.Count > 0)
            {
                throw new ConfigException(problems);
            }

            Run(parsed.GetRequiredValue(path), parsed.GetValue(overrides) ?? [], options, parsed.GetValue(json), parsed.GetValue(write));
        });
        return verb;
    }

    private static void Run(string path, string[] overrides, MemoryPlanRequest options, string? json, bool write)
    {
        var config = HubNames.Locate(TrainConfig.Load(path, overrides, ConfigUse.Plan), progress: FetchProgress.On(Console.Error), weights: false);
        var result = FineTune.Of(config).Plan(options);
        if (Console.IsOutputRedirected)
        {
            AnsiConsole.Profile.Width = 200;
            AnsiConsole.Profile.Capabilities.Ansi = false;
        }

        PlanView.Render(AnsiConsole.Console, result);
        ResultFile.Save(result, json);
        if (!write)
        {
            if (result.Choices is [var first, ..])
            {
                AnsiConsole.WriteLine($"Keys for {path} (--write puts them there):");
                AnsiConsole.WriteLine("  " + string.Join("\n  ", PlanKeys.Lines(first)));
            }

            return;
        }

        // Without a GPU to fit, one row alone is a choice.
        var chosen = result.Choices.MinBy(row => row.Ranks) ?? (result.DeviceBytes is null && result.Rows.Count == 1 ? result.Rows[0] : null);
        if (chosen is null)
        {
            throw new ConfigException(result.DeviceBytes is null
                ? "--write needs to know what must fit: give --card, or --ranks, --zero and --offload so that one row is left"
                : "--write: nothing fits, and nothing was written; give more --ranks, a shorter --length or a larger --card");
        }

        PlanKeys.Write(path, chosen);
        AnsiConsole.WriteLine($"{path}: {string.Join(", ", PlanKeys.Lines(chosen))}, for {PlanView.Count(chosen.Ranks)}");
    }

    private static MemorySize? Memory(string text, List<string> problems)
    {
        if (MemorySize.Parse(text) is { } size)
        {
            return size;
        }

        problems.Add($"--card {text}: it must be a size such as 24GiB or 80GB");
        return null;
    }

    private static List<int> Numbers(string option, string text, int least, int most, List<string> problems)
    {
        var numbers = new List<int>();
        foreach (var word in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
            {
                numbers.Add(number);
            }
            else
            {
                problems.Add($"{option} {word}: it must be whole numbers from {least} to {most}, separated by commas");
            }
        }

        if (numbers.Count == 0 && problems.Count == 0)
        {
            problems.Add($"{option} is empty: it must be whole numbers from {least} to {most}, separated by commas");
        }

        return [.. numbers.Distinct().Order()];
    }

    private static List<OffloadKind> Offloads(string text, List<string> problems)
    {
        var kinds = new List<OffloadKind>();
        foreach (var word in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (Enum.TryParse<OffloadKind>(word, ignoreCase: true, out var kind) && !char.IsAsciiDigit(word[0]))
            {
                kinds.Add(kind);
            }
            else
            {
                problems.Add($"--offload {word}: it must be of none, optimizer, cpu, separated by commas");
            }
        }

        return [.. kinds.Distinct().Order()];
    }
}
