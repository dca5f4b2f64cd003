using System.CommandLine;
using System.Text;
using Fovea.Cli.Views;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea describe WHAT CONFIG</c>: what a configuration means, for programs. <c>fovea board</c> asks it.</summary>
internal static class DescribeVerb
{
    private const int MostRows = 100;

    public static Command Create()
    {
        var what = new Argument<string>("WHAT") { Description = "config, samples or plan." };
        what.AcceptOnlyFromAmong("config", "samples", "plan");
        var path = new Argument<string>("CONFIG") { Description = "YAML or JSON file of a run; - is YAML on standard input." }.IsPath();
        var overrides = new Argument<string[]>("KEY=VALUE") { Description = "Overrides for keys of the file.", Arity = ArgumentArity.ZeroOrMore };
        var first = new Option<int>("--first") { Description = "The first sample, from 0 on." };
        var rows = new Option<int>("--rows") { Description = $"Most samples, at most {MostRows}.", DefaultValueFactory = _ => 8 };
        var card = new Option<string?>("--card") { Description = "Memory of one GPU, for instance 24GiB, for the plan." };
        var verb = new Command("describe", """
            Print as JSON what a configuration means: its keys as fovea train reads them, samples as the model sees them, or its memory plan.

            Loads no weights. What is wrong with the configuration is printed as fovea train prints it, with exit code 2.

            Examples:
              fovea describe config run.yaml
              fovea describe samples run.yaml --first 100 --rows 4
              fovea describe plan run.yaml --card 24GiB
            """)
        {
            what, path, overrides, first, rows, card,
        };
        verb.SetAction(parsed =>
        {
            var (from, told) = (parsed.GetRequiredValue(path), parsed.GetValue(overrides) ?? []);
            MemorySize? size = parsed.GetValue(card) is { } text
                ? MemorySize.Parse(text) ?? throw new ConfigException($"--card {text}: it must be a size such as 24GiB or 80GB") : null;
            using var output = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)); // whatever the terminal's encoding
            output.WriteLine(ResultFile.ToJson(parsed.GetRequiredValue(what) switch
            {
                "config" => Keys(Read(from, told, ConfigUse.Train)),
                "samples" => ShownSamples.Of(
                    Located(Read(from, told, ConfigUse.Data)), Math.Max(0, parsed.GetValue(first)), Math.Clamp(parsed.GetValue(rows), 1, MostRows)),
                _ => FineTune.Of(Located(Read(from, told, ConfigUse.Plan))).Plan(new MemoryPlanRequest { DeviceBytes = size?.Bytes }),
            }));
        });
        return verb;
    }

    private static object Keys(TrainConfig config) => new
    {
        config.Run.OutputDir, config.Run.LoggingDir, config.Notices, Told = ConfigText.Of(config), Settings = config.ToDictionary(),
    };

    private static TrainConfig Located(TrainConfig config) => HubNames.Locate(config, progress: FetchProgress.On(Console.Error), weights: false);

    private static TrainConfig Read(string path, string[] overrides, ConfigUse use)
    {
        if (path != "-")
        {
            return TrainConfig.Load(path, overrides, use);
        }

        using var input = TextFile.Open(Console.OpenStandardInput(), "standard input");
        return TrainConfig.Parse(input.ReadToEnd(), "configuration", overrides, use);
    }
}
