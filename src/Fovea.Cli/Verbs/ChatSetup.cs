using Fovea.Data.Tokenizers;
using Fovea.Distributed;
using Fovea.Generation;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Cli.Verbs;

/// <summary>A loaded model with its adapters, ready to answer.</summary>
internal sealed class ChatSetup : IDisposable
{
    private ChatSetup(VisionLanguageModel model, ZeroSharding? weights, DataSetup data, GenerationOptions options)
    {
        (Model, Weights, Tokenizer, Options) = (model, weights, data.Tokenizer, options);
        Prompts = new PromptBuilder(data.Tokenizer, data.Template, data.Images, data.Options.DefaultSystem, data.Processor.TokenRows);
    }

    public VisionLanguageModel Model { get; }

    /// <summary>Gathers weights that are sharded over processes; null where the model is whole.</summary>
    public ZeroSharding? Weights { get; }

    public Tokenizer Tokenizer { get; }

    public PromptBuilder Prompts { get; }

    public GenerationOptions Options { get; }

    /// <summary>Completes a configuration: a training run's own output, once it is there, an adapter's own base where no model is named.</summary>
    /// <param name="notes">Receives what was chosen, and what the user is to know about it.</param>
    public static TrainConfig Complete(TrainConfig config, TextWriter notes)
    {
        string? found = null;
        if (config.Run.OutputDir.Length > 0)
        {
            (config, found) = config.Tuning.FinetuningType == FinetuningType.Lora ? WithAdapter(config, notes) : (WithModel(config, notes), null);
        }

        var missing = config.Model.AdapterNameOrPath.Where(adapter => !PeftAdapter.IsAdapter(adapter)).Select(AdapterFolder.Problem).ToList();
        if (missing.Count > 0)
        {
            throw new ConfigException(missing);
        }

        config = config.Model.ModelNameOrPath.Length > 0 ? config
            : config.Model.AdapterNameOrPath.Count > 0 ? OfModel(config, PeftAdapter.ResolveBase(config.Model.AdapterNameOrPath[0]))
            : throw new ConfigException("no model is named: give a configuration file, --model FOLDER or --adapter FOLDER (fovea chat --help shows examples)");
        foreach (var notice in AdapterBase.Check(
            config.Model.ModelNameOrPath, config.Model.AdapterNameOrPath, found,
            $"give that model, or --adapter {found} to use the adapter here all the same, or output_dir= to use {config.Model.ModelNameOrPath} alone"))
        {
            notes.WriteLine($"warning: {notice}");
        }

        return config;
    }

    /// <summary>Whether a word of the command line names the adapters to use, which stand before what the run wrote.</summary>
    public static bool NamesAdapter(IEnumerable<string> overrides) =>
        overrides.Any(word => word.StartsWith("adapter_name_or_path=", StringComparison.Ordinal));

    /// <summary>The adapter that the run wrote, on top of those that it was trained over; until then the one that it starts from, or none.</summary>
    private static (TrainConfig Config, string? Found) WithAdapter(TrainConfig config, TextWriter notes)
    {
        var (folder, start) = (config.Run.OutputDir, config.Model.AdapterNameOrPath.LastOrDefault());
        if (PeftAdapter.IsAdapter(folder))
        {
            notes.WriteLine($"using the adapter in output_dir, {folder}"
                + (start is null || start == folder ? string.Empty : $": the result of the run that went on from {start}"));
            var adapters = config.Model.AdapterNameOrPath.SkipLast(1).Append(folder);
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

    /// <param name="config">A completed configuration.</param>
    /// <param name="fromModel">Take sampling settings from the model's generation_config.json instead of the configuration.</param>
    /// <param name="notes">Receives what is being loaded, and what the user should know about the configuration and the model.</param>
    /// <param name="mesh">The processes over which <c>zero: 3</c> shards the weights; null is this one alone.</param>
    public static ChatSetup Load(TrainConfig config, bool fromModel, TextWriter notes, Mesh? mesh = null)
    {
        var data = DataSetup.From(config);
        Report(notes, [.. config.Notices, .. data.Notices]);
        var family = Families.Of(config.Model.ModelNameOrPath);
        var options = GenerationOptions.Read(config.Model.ModelNameOrPath, data.Tokenizer, data.Template.StopWords);
        options = fromModel ? options : options with
        {
            MaxNewTokens = config.Generation.MaxNewTokens,
            DoSample = config.Generation.DoSample,
            Temperature = config.Generation.Temperature,
            TopK = config.Generation.TopK,
            TopP = config.Generation.TopP,
            RepetitionPenalty = config.Generation.RepetitionPenalty,
        };
        var device = ModelSetup.ChooseDevice(config);
        var compute = Compute(config, device);
        foreach (var reason in ProductSetup.Apply(compute, mesh ?? Mesh.Alone(), device).Reasons)
        {
            notes.WriteLine(reason);
        }

        notes.WriteLine($"loading {config.Model.ModelNameOrPath} ({family.ModelType}, {compute.SafetensorsName().ToLowerInvariant()}, {device})"
            + string.Concat(config.Model.AdapterNameOrPath.Select(adapter => $" with adapter {adapter}")));
        var divides = mesh is { WorldSize: > 1 } && config.Parallel.Sharding.Stage == 3;
        var model = Families.Load(config.Model.ModelNameOrPath, new ModelOptions
        {
            Compute = compute,
            Device = device,
            Family = config.Family.Of(family),
            Deferred = divides,
        });
        try
        {
            for (var i = 0; i < config.Model.AdapterNameOrPath.Count; i++)
            {
                if (i > 0)
                {
                    Adapters.Merge(model.Ledger); // a linear has room for one adapter
                }

                PeftAdapter.Attach(model, family, config.Model.AdapterNameOrPath[i], trainable: false);
            }

            Report(notes, model.Notices);
            return new ChatSetup(model, divides ? new ZeroSharding(mesh!, model.Ledger, model.Head, config.Parallel.Sharding) : null, data, options);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Weights?.Dispose();
        Model.Dispose();
    }

    private static void Report(TextWriter notes, IEnumerable<string> notices)
    {
        foreach (var notice in notices)
        {
            notes.WriteLine($"note: {notice}");
        }
    }

    /// <summary>
    /// The element type of the computation. <c>auto</c>: on a GPU bf16; on the CPU what the checkpoint is stored in, fp16 computed as fp32.
    /// </summary>
    private static DType Compute(TrainConfig config, Device device)
    {
        switch (config.Model.InferDtype)
        {
            case InferDtype.Float32:
                return DType.F32;
            case InferDtype.Bfloat16:
                return DType.BF16;
            case InferDtype.Float16:
                return DType.F16;
        }

        var root = ConfigReader.Open(Families.ConfigPath(config.Model.ModelNameOrPath));
        var stored = root.Text("torch_dtype", root.Text("dtype", root.Section("text_config")?.Text("dtype") ?? string.Empty));
        return device.Type == DeviceType.Cuda || stored == "bfloat16" ? DType.BF16 : DType.F32;
    }
}
