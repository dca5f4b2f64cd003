using Fovea.Data.Images;
using Fovea.Data.Objects;
using Fovea.Data.Tokenizers;
using Fovea.Distributed;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn.Lora;
using Fovea.Tensors;
using Fovea.Training.Answers;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Loading;

/// <summary>A loaded model with its adapters, ready to answer. It belongs to the thread that loaded it.</summary>
internal sealed class LoadedModel : IDisposable
{
    // What OpenAI calls an image of low detail.
    private const int CoarsePixels = 512 * 512;
    private readonly List<NamedAdapter> named = [];

    private LoadedModel(
        VisionLanguageModel model, ModelSource source, ZeroSharding? weights, DataSetup data, GenerationOptions options, EngineOptions? engine,
        FamilyOptions? family)
    {
        (Model, Source, Weights, Options) = (model, source, weights, options);
        Objects = data.Objects;
        Prompts = new PromptBuilder(data.Tokenizer, data.Template, data.Images, data.Options, data.Processor.TokenRows, data.Objects);
        Tokenizer = data.Tokenizer;
        Engine = new GenerationEngine(model, engine);
        Answerer = new Answerer(Engine, data.Tokenizer, Prompts);
        Answerer.Coarse = new(() => source.Process(
            new PreResize(Math.Min(CoarsePixels, data.Options.ImageMaxPixels), Math.Min(CoarsePixels, data.Options.ImageMinPixels)), family).Images);
        Batch = new BatchAnswerer(Engine, Answerer);
    }

    public VisionLanguageModel Model { get; }

    /// <summary>The folder that the model is from, as it was then.</summary>
    public ModelSource Source { get; }

    /// <summary>Gathers weights that are sharded over processes; null where the model is whole.</summary>
    public ZeroSharding? Weights { get; }

    public PromptBuilder Prompts { get; }

    public Tokenizer Tokenizer { get; }

    /// <summary>Writes names and places of objects as the model knows them.</summary>
    public ObjectText Objects { get; }

    /// <summary>Generates everything that the model is asked for.</summary>
    public GenerationEngine Engine { get; }

    public Answerer Answerer { get; }

    /// <summary>Answers many questions at once.</summary>
    public IBatchAnswerer Batch { get; }

    /// <summary>Names of adapters that questions can ask for.</summary>
    public IReadOnlyList<string> AdapterNames => [.. named.Select(adapter => adapter.Name)];

    /// <summary>How answers are generated where nobody says otherwise.</summary>
    public GenerationOptions Options { get; }

    /// <param name="config">Names the model and its adapters.</param>
    /// <param name="source">The configuration's model folder.</param>
    /// <param name="fromModel">Take sampling settings from the model's generation_config.json instead of the configuration.</param>
    /// <param name="note">Receives what is being loaded, and what the user should know about the configuration and the model.</param>
    /// <param name="mesh">The processes over which <c>zero: 3</c> shards the weights; null is this one alone.</param>
    /// <param name="engine">How much is computed at once and kept; null is as is usual.</param>
    public static LoadedModel Load(TrainConfig config, ModelSource source, bool fromModel, Action<string> note, Mesh? mesh = null, EngineOptions? engine = null)
    {
        FourBitChecks.Check(config with { Run = config.Run with { DoTrain = false } }, source);
        source = BaseModel.With(source, config);
        var data = DataSetup.From(config, source);
        Report(note, [.. config.Notices, .. data.Notices]);
        var family = source.Family;
        var options = GenerationFile.Read(source.Folder, data.Tokenizer, data.Template.StopWords);
        options = fromModel ? options : AnswerSettings.Of(config.Generation, options);
        _ = Torch.Threads; // a new thread starts with OpenMP's own number of threads; asking makes libtorch apply its own
        var device = ModelSetup.ChooseDevice(config);
        var compute = Compute(config, source, device);
        foreach (var reason in ProductSetup.Apply(compute, mesh ?? Mesh.Alone(), device).Reasons)
        {
            note(reason);
        }

        note($"loading {source.Folder} ({family.ModelType}, {compute.SafetensorsName().ToLowerInvariant()}, {device})"
            + string.Concat(config.Model.AdapterNameOrPath.Select(adapter => $" with adapter {adapter}")));
        var divides = mesh is { WorldSize: > 1 } && config.Parallel.Sharding.Stage == 3;
        var model = source.Load(new ModelOptions
        {
            Compute = compute,
            Device = device,
            Family = config.Family.Of(family),
            Deferred = divides,
            FourBit = config.Model.FourBit,
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

            Report(note, model.Notices);
            var weights = divides ? new ZeroSharding(mesh!, model.Ledger, model.Head, config.Parallel.Sharding) : null;
            return new LoadedModel(model, source, weights, data, options, engine, config.Family.Of(family));
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Reads an adapter that questions can ask for by a name.</summary>
    /// <exception cref="ConfigException">The folder does not hold one that can serve beside others.</exception>
    /// <exception cref="CheckpointException">It does not fit the model.</exception>
    public void Add(string name, string folder, Action<string> note)
    {
        if (!PeftAdapter.IsAdapter(folder))
        {
            throw new ConfigException(AdapterFolder.Problem(folder));
        }

        note($"loading adapter {folder} as {name}");
        named.Add(PeftAdapter.Open(Model, Source.Family, name, folder));
        Engine.Add(named[^1]);
    }

    public void Dispose()
    {
        Engine.Dispose();
        named.ForEach(adapter => adapter.Dispose());
        Weights?.Dispose();
        Model.Dispose();
    }

    private static void Report(Action<string> note, IEnumerable<string> notices)
    {
        foreach (var notice in notices)
        {
            note($"note: {notice}");
        }
    }

    /// <summary>
    /// The element type of the computation. <c>auto</c>: on a GPU bf16; on the CPU what the checkpoint is stored in, fp16 computed as fp32.
    /// </summary>
    private static DType Compute(TrainConfig config, ModelSource source, Device device)
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

        var root = source.Config;
        var stored = root.Text("torch_dtype", root.Text("dtype", root.Section("text_config")?.Text("dtype") ?? string.Empty));
        return device.Type == DeviceType.Cuda || stored == "bfloat16" ? DType.BF16 : DType.F32;
    }
}
