using System.CommandLine;
using Fovea.Cli.Views;
using Fovea.Loading;
using Fovea.Models.Peft;
using Fovea.Running;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea export CONFIG</c>: merges adapters into the base model and writes a model folder that every loader of Hugging Face models reads.</summary>
internal static class ExportVerb
{
    public static Command Create()
    {
        var config = new Argument<string?>("CONFIG")
        {
            Description = "YAML or JSON file with LLaMA-Factory's export keys.", Arity = ArgumentArity.ZeroOrOne,
        }.IsPath();
        var overrides = new Argument<string[]>("KEY=VALUE") { Description = "Overrides for keys of the file.", Arity = ArgumentArity.ZeroOrMore };
        var model = new Option<string?>("--model") { Description = "Folder of the base model; default: the one recorded in the adapter." }.IsPath();
        var adapter = new Option<string[]>("--adapter")
        {
            Description = "Adapter folder; several are merged in the order given.", Arity = ArgumentArity.ZeroOrMore,
        }.IsPath();
        var output = new Option<string?>("--out") { Description = "Output folder." }.IsPath();
        var force = new Option<bool>("--force") { Description = "Write to a folder that is not empty; files of the same name are replaced." };
        var verb = new Command("export", """
            Merge adapters into their base model and write it as sharded safetensors with tokenizer and configuration.

            Examples:
              fovea export examples/qwen2_5vl_merge.yaml
              fovea export --adapter saves/my_run --out models/my_model
              fovea export --model saves/full/checkpoint-100 --out models/my_model
              fovea export --model models/Qwen2.5-VL-7B-Instruct --adapter saves/my_run --out models/my_model export_size=2
            """)
        {
            config, overrides, model, adapter, output, force,
        };
        verb.SetAction(parsed =>
        {
            var console = parsed.InvocationConfiguration.Output;
            var settings = Load(parsed.GetValue(config), parsed.GetValue(overrides) ?? []);
            foreach (var notice in settings.Notices)
            {
                console.WriteLine($"note: {notice}");
            }

            Plan(settings, parsed.GetValue(model), parsed.GetValue(adapter) ?? [], parsed.GetValue(output), parsed.GetValue(force)).Run(console.WriteLine);
            if (settings.Hub.ExportHubModelId is { } id)
            {
                var folder = parsed.GetValue(output) ?? settings.Export.ExportDir!;
                console.WriteLine(HubResult.Push(folder, id, settings.Hub.PushSettings(), card: null, request => request with
                {
                    Private = settings.Hub.HubPrivateRepo, Say = console.WriteLine,
                }, CancellationToken.None));
            }

            return 0;
        });
        return verb;
    }

    /// <summary>The export that file and options ask for together; options go first.</summary>
    internal static Merge Plan(TrainConfig config, string? model, IReadOnlyList<string> adapters, string? output, bool force)
    {
        var folders = adapters.Count > 0 ? adapters : config.Model.AdapterNameOrPath;
        var problems = new List<string>();
        var source = model ?? (config.Model.ModelNameOrPath.Length > 0 ? config.Model.ModelNameOrPath : null);
        var names = new HubNames(config.Hub, progress: FetchProgress.On(Console.Error));
        folders = [.. folders.Select(names.Adapter)];
        if (source is null && folders is [var first, ..])
        {
            if (PeftAdapter.IsAdapter(first))
            {
                source = PeftAdapter.ResolveBase(first, name => names.Model(name));
            }
            else
            {
                problems.Add($"adapter_name_or_path: {AdapterFolder.Problem(first)}");
            }
        }
        else if (source is null)
        {
            problems.Add("model_name_or_path is missing: the folder of the base model (or --model)");
        }

        var target = output ?? config.Export.ExportDir;
        if (string.IsNullOrEmpty(target))
        {
            problems.Add("export_dir is missing: the folder for the merged model (or --out)");
        }

        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        return new Merge
        {
            Model = source!,
            Adapters = folders,
            Target = target!,
            Names = names,
            Options = new MergeOptions
            {
                MaxShardBytes = config.Export.ExportSize * 1_000_000_000L,
                Precision = InferPrecision.Of(config.Model.InferDtype),
                FourBit = config.Export.ExportQuantizationBit is null ? null : new FourBitRounding
                {
                    Type = config.Model.QuantizationType,
                    DoubleQuantization = config.Model.DoubleQuantization,
                    SkipModules = config.Model.LlmInt8SkipModules,
                },
                Overwrite = force,
            },
        };
    }

    private static TrainConfig Load(string? path, IReadOnlyList<string> overrides)
    {
        // Without a file the first key=value stands in its place.
        if (path is not null && path.Contains('=', StringComparison.Ordinal) && !File.Exists(path))
        {
            return TrainConfig.Parse("{}", "command line", [path, .. overrides], ConfigUse.Any);
        }

        return path is null ? TrainConfig.Parse("{}", "command line", overrides, ConfigUse.Any) : TrainConfig.Load(path, overrides, ConfigUse.Any);
    }
}
