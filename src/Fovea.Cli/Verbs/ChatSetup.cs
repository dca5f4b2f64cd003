using Fovea.Data.Tokenizers;
using Fovea.Distributed;
using Fovea.Generation;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;
using Fovea.Training.Config;
using Fovea.Training.Engine;
using Fovea.Training.Recipes;

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

    /// <summary>Brings weights together that are divided over processes; null where the model is whole.</summary>
    public ZeroSharding? Weights { get; }

    public Tokenizer Tokenizer { get; }

    public PromptBuilder Prompts { get; }

    public GenerationOptions Options { get; }

    /// <summary>Completes a configuration: a training run's own output, once it is there, an adapter's own base where no model is named.</summary>
    /// <param name="notes">Receives what was chosen, and what the user is to know about it.</param>
    public static TrainConfig Complete(TrainConfig config, TextWriter notes)
    {
        string? found = null;
        if (config.OutputDir.Length > 0)
        {
            (config, found) = config.FinetuningType == FinetuningType.Lora ? WithAdapter(config, notes) : (WithModel(config, notes), null);
        }

        var missing = config.AdapterNameOrPath.Where(adapter => !PeftAdapter.IsAdapter(adapter)).Select(AdapterFolder.Problem).ToList();
        if (missing.Count > 0)
        {
            throw new ConfigException(missing);
        }

        config = config.ModelNameOrPath.Length > 0 ? config
            : config.AdapterNameOrPath.Count > 0 ? config with { ModelNameOrPath = PeftAdapter.ResolveBase(config.AdapterNameOrPath[0]) }
            : throw new ConfigException("no model is named: give a configuration file, --model FOLDER or --adapter FOLDER (fovea chat --help shows examples)");
        foreach (var notice in AdapterBase.Check(
            config.ModelNameOrPath, config.AdapterNameOrPath, found,
            $"give that model, or --adapter {found} to use the adapter here all the same, or output_dir= to use {config.ModelNameOrPath} alone"))
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
        var (folder, start) = (config.OutputDir, config.AdapterNameOrPath.LastOrDefault());
        if (PeftAdapter.IsAdapter(folder))
        {
            notes.WriteLine($"using the adapter in output_dir, {folder}"
                + (start is null || start == folder ? string.Empty : $": the result of the run that went on from {start}"));
            return (config with { AdapterNameOrPath = [.. config.AdapterNameOrPath.SkipLast(1), folder] }, folder);
        }

        var instead = start is null ? "the base model answers, without any training of this run" : $"{start}, from which the run starts, is used";
        var checkpoints = AdapterFolder.In(folder) is [var newest, ..] ? $"; --adapter {newest} uses its newest checkpoint" : string.Empty;
        notes.WriteLine($"warning: no adapter in output_dir, {folder}, yet: {instead}{checkpoints}");
        return (config, null);
    }

    private static TrainConfig WithModel(TrainConfig config, TextWriter notes)
    {
        if (File.Exists(Families.ConfigPath(config.OutputDir)))
        {
            notes.WriteLine($"using the model in output_dir, {config.OutputDir}");
            return config with { ModelNameOrPath = config.OutputDir };
        }

        notes.WriteLine($"warning: no model in output_dir, {config.OutputDir}, yet: the one that the run starts from is used, {config.ModelNameOrPath}");
        return config;
    }

    /// <param name="config">A completed configuration.</param>
    /// <param name="fromModel">Take sampling settings from the model's generation_config.json instead of the configuration.</param>
    /// <param name="notes">Receives what is being loaded.</param>
    /// <param name="mesh">The processes over which <c>zero: 3</c> divides the weights; null is this one alone.</param>
    public static ChatSetup Load(TrainConfig config, bool fromModel, TextWriter notes, Mesh? mesh = null)
    {
        var data = DataSetup.From(config);
        var family = Families.Of(config.ModelNameOrPath);
        var options = GenerationOptions.Read(config.ModelNameOrPath, data.Tokenizer, data.Template.StopWords);
        options = fromModel ? options : options with
        {
            MaxNewTokens = config.MaxNewTokens,
            DoSample = config.DoSample,
            Temperature = config.Temperature,
            TopK = config.TopK,
            TopP = config.TopP,
            RepetitionPenalty = config.RepetitionPenalty,
        };
        var device = ModelSetup.ChooseDevice(config);
        var compute = Compute(config, device);
        foreach (var reason in ProductSetup.Apply(compute, mesh ?? Mesh.Alone(), device).Reasons)
        {
            notes.WriteLine(reason);
        }

        notes.WriteLine($"loading {config.ModelNameOrPath} ({family.ModelType}, {compute.SafetensorsName().ToLowerInvariant()}, {device})"
            + string.Concat(config.AdapterNameOrPath.Select(adapter => $" with adapter {adapter}")));
        var divides = mesh is { WorldSize: > 1 } && config.Sharding.Stage == 3;
        var model = Families.Load(config.ModelNameOrPath, new ModelOptions
        {
            Compute = compute,
            Device = device,
            OriginalPadding = config.VisionMask == VisionMask.Original,
            Deferred = divides,
        });
        try
        {
            for (var i = 0; i < config.AdapterNameOrPath.Count; i++)
            {
                if (i > 0)
                {
                    Adapters.Merge(model.Ledger); // a linear has room for one adapter
                }

                PeftAdapter.Attach(model, family, config.AdapterNameOrPath[i], trainable: false);
            }

            return new ChatSetup(model, divides ? new ZeroSharding(mesh!, model.Ledger, model.Head, config.Sharding) : null, data, options);
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

    /// <summary>
    /// The element type of the computation. <c>auto</c>: on a card bf16; on the CPU what the checkpoint is stored in, fp16 computed as fp32.
    /// </summary>
    private static DType Compute(TrainConfig config, Device device)
    {
        switch (config.InferDtype)
        {
            case InferDtype.Float32:
                return DType.F32;
            case InferDtype.Bfloat16:
                return DType.BF16;
            case InferDtype.Float16:
                return DType.F16;
        }

        var root = ConfigReader.Open(Families.ConfigPath(config.ModelNameOrPath));
        var stored = root.Text("torch_dtype", root.Text("dtype", root.Section("text_config")?.Text("dtype") ?? string.Empty));
        return device.Type == DeviceType.Cuda || stored == "bfloat16" ? DType.BF16 : DType.F32;
    }
}
