using System.CommandLine;
using Fovea.Cli.Views;
using Fovea.Distributed;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Cli.Verbs;

/// <summary>Which model and adapters a command line means that names a run's configuration, a model, adapters, or some of them.</summary>
internal static class ModelChoice
{
    /// <summary>Completes a configuration: a training run's own output, once it is there, an adapter's own base where no model is named.</summary>
    /// <param name="notes">Receives what was chosen, and what the user is to know about it.</param>
    /// <returns>The configuration, and its model folder where adapters had to be compared with it: only then it is open already.</returns>
    /// <param name="mesh">The processes that load it together.</param>
    public static (TrainConfig Config, ModelSource? Source) Complete(TrainConfig config, TextWriter notes, Mesh? mesh = null)
    {
        string? found = null;
        var progress = FetchProgress.On(notes);
        if (config.Run.OutputDir.Length > 0)
        {
            (config, found) = config.Tuning.FinetuningType == FinetuningType.Lora ? WithAdapter(config, notes) : (WithModel(config, notes), null);
        }

        config = HubNames.Locate(config, mesh, progress);
        var missing = config.Model.AdapterNameOrPath.Where(adapter => !PeftAdapter.IsAdapter(adapter)).Select(AdapterFolder.Problem).ToList();
        if (missing.Count > 0)
        {
            throw new ConfigException(missing);
        }

        config = config.Model.ModelNameOrPath.Length > 0 ? config
            : config.Model.AdapterNameOrPath.Count > 0 ? OfModel(config, PeftAdapter.ResolveBase(
                config.Model.AdapterNameOrPath[0], name => new HubNames(config.Hub, mesh, progress).Model(name)))
            : throw new ConfigException("no model is named: give a configuration file, --model FOLDER or --adapter FOLDER (fovea chat --help shows examples)");
        var (folder, adapters) = (config.Model.ModelNameOrPath, config.Model.AdapterNameOrPath);
        if (adapters.Count == 0 || !File.Exists(Families.ConfigPath(folder)))
        {
            return (config, null); // what is missing is told by who loads it
        }

        var source = ModelSource.Open(folder);
        foreach (var notice in AdapterBase.Check(
            source, adapters, found,
            $"give that model, or --adapter {found} to use the adapter here all the same, or output_dir= to use {folder} alone"))
        {
            notes.WriteLine($"warning: {notice}");
        }

        return (config, source);
    }

    /// <summary><c>--dtype</c>, where a verb answers.</summary>
    public static Option<InferDtype?> Dtype() => new("--dtype") { Description = "Element type of the computation; auto follows the checkpoint." };

    /// <summary>Whether a word of the command line names the adapters to use, which stand before what the run wrote.</summary>
    public static bool NamesAdapter(IEnumerable<string> overrides) =>
        overrides.Any(word => word.StartsWith("adapter_name_or_path=", StringComparison.Ordinal));

    /// <summary>The adapter that the run wrote, on top of those that it was trained over; until then the one that it starts from, or none.</summary>
    private static (TrainConfig Config, string? Found) WithAdapter(TrainConfig config, TextWriter notes)
    {
        var (folder, start) = (config.Run.OutputDir, config.Model.AdapterNameOrPath.LastOrDefault());
        if (PeftAdapter.IsAdapter(folder))
        {
            var from = config.Tuning.CreateNewAdapter ? $": the result of the run over {start}" : $": the result of the run that went on from {start}";
            notes.WriteLine($"using the adapter in output_dir, {folder}{(start is null || start == folder ? string.Empty : from)}");
            var adapters = config.AdaptersBelow.Append(folder);
            return (config with { Model = config.Model with { AdapterNameOrPath = [.. adapters] } }, folder);
        }

        var instead = start is null ? "the base model answers, without any training of this run" : $"{start}, from which the run starts, is used";
        var checkpoints = AdapterFolder.In(folder) is [var newest, ..] ? $"; --adapter {newest} uses its newest checkpoint" : string.Empty;
        notes.WriteLine($"warning: no adapter in output_dir, {folder}, yet: {instead}{checkpoints}");
        return (config, null);
    }

    private static TrainConfig OfModel(TrainConfig config, string folder) => config with { Model = config.Model with { ModelNameOrPath = folder } };

    private static TrainConfig WithModel(TrainConfig config, TextWriter notes)
    {
        if (File.Exists(Families.ConfigPath(config.Run.OutputDir)))
        {
            notes.WriteLine($"using the model in output_dir, {config.Run.OutputDir}");
            return OfModel(config, config.Run.OutputDir);
        }

        var start = config.Model.ModelNameOrPath;
        notes.WriteLine($"warning: no model in output_dir, {config.Run.OutputDir}, yet: the one that the run starts from is used, {start}");
        return config;
    }
}
