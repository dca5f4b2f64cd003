using Fovea.Distributed;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;
using Fovea.Training.Config;
using Fovea.Training.Optim;

namespace Fovea.Training.Session;

/// <summary>The model that a configuration asks for: base weights, adapters attached, frozen parts frozen.</summary>
/// <param name="Adapter">What the saved adapter's config says; null when the whole model is trained.</param>
/// <param name="Dropout">The stream behind lora_dropout; null without it.</param>
internal sealed record ModelSetup(VisionLanguageModel Model, ModelFamily Family, PeftConfig? Adapter, DropoutStream? Dropout) : IDisposable
{
    /// <summary>What the adapter learns over; kept beside it wherever it is saved. Null when the whole model is trained.</summary>
    public AdapterBase? Base { get; init; }

    /// <summary>Elements that learn.</summary>
    public long TrainableParameters => Model.Ledger.Trainable.Sum(p => p.Count);

    /// <summary>Elements of base and adapters together.</summary>
    public long AllParameters => Model.Ledger.Count + Model.Ledger.AdapterParameters.Sum(p => p.Count);

    public bool VisionLearns => TrainableRule.ReachesVision(Model.Ledger.Trainable.Select(p => p.Name), Family.PartOf);

    /// <summary>Whether the projector learns over a tower that does not and whose features can be kept.</summary>
    public bool LearnsOverTower => Model.HasTower && VisionLearns && !Model.Ledger.Trainable.Any(p => Family.PartOf(p.Name) == ModelPart.Vision);

    /// <param name="source">The configuration's model folder.</param>
    /// <param name="resumeFrom">A checkpoint whose adapter or weights, or a file whose weights, replace the configuration's; null for a new run.</param>
    public static ModelSetup Load(TrainConfig config, ModelSource source, string? resumeFrom)
    {
        Torch.Seed((ulong)config.Run.Seed);
        FourBitChecks.Check(config, source);
        var lora = config.Tuning.FinetuningType == FinetuningType.Lora;
        var isFile = resumeFrom is not null && Resumption.IsFile(resumeFrom);
        var vocabulary = source.Vocabulary;
        source = resumeFrom is not null && !lora && !isFile && ModelSaver.HasWeights(resumeFrom) ? ModelSource.Open(resumeFrom) : source;
        var family = source.Family;
        var notices = lora ? CheckAdapters(config, source, resumeFrom) : [];
        var model = source.Load(new ModelOptions
        {
            Compute = config.Model.Compute,
            Master = config.Model.PureBf16 ? DType.BF16 : DType.F32,
            Device = ChooseDevice(config),
            Trainable = TrainableRule.From(config.Tuning, source),
            Deferred = config.Parallel.Sharding.Shards,
            BlockMode = config.Memory.UsualBlockMode,
            FourBit = config.Model.FourBit,
            Family = config.Family.Of(family),
            WeightsFile = isFile ? resumeFrom : null,
        });
        try
        {
            var dropout = lora && config.Tuning.LoraDropout > 0 ? new DropoutStream(config.Tuning.LoraDropout, (ulong)config.Run.Seed) : null;
            var adapter = lora ? AttachAdapter(config, model, family, resumeFrom, dropout) : null;
            model.Notices = [.. model.Notices, .. notices];
            model.Vocabulary = vocabulary; // also where a checkpoint has it already: files are copied from the base's folder
            return new ModelSetup(model, family, adapter, dropout)
            {
                Base = lora ? AdapterBase.Of(source, config.AdaptersBelow) : null,
            };
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Divides what learns over the ranks, and the weights too where the configuration says so.</summary>
    public ParallelStrategy Divide(TrainConfig config, Mesh mesh)
    {
        var ledger = Model.Ledger;
        TakeOut(mesh);
        if (!config.Parallel.Sharding.Shards)
        {
            return new DataParallel(mesh, ledger.Trainable, Model.Head, (long)(config.Parallel.DdpBucketCapMb * (1 << 20)));
        }

        return new ZeroSharding(mesh, ledger, Model.Head, config.Parallel.Sharding with { Alignment = Optimizers.Alignment(config.Optimizer) });
    }

    public static Device ChooseDevice(TrainConfig config)
    {
        Torch.Deterministic(config.Model.Deterministic); // before cuBLAS is first used
        return config.Model.UseCpu ? Device.Cpu : Devices.Choose(config.Model.Device);
    }

    public void Dispose()
    {
        Model.Dispose();
        Dropout?.Dispose();
    }

    internal static PeftConfig AttachAdapter(TrainConfig config, VisionLanguageModel model, ModelFamily family, string? resumeFrom, DropoutStream? dropout)
    {
        foreach (var earlier in config.AdaptersBelow)
        {
            PeftAdapter.Attach(model, family, earlier, trainable: false);
            Adapters.Merge(model.Ledger);
        }

        CheckAdditional(config, model);
        string[] whole = [.. config.Tuning.AdditionalTarget.Where(target => !IsTiedHead(model, target))];
        var adapter = GoesOnFrom(config, resumeFrom) is { } own
            ? PeftAdapter.Attach(model, family, own, trainable: true, dropout)
            : Fresh(config, model, family, dropout);
        if (resumeFrom is null && GoesOnFrom(config, null) is { } given && AdapterKeys.Notice(config, model, family, adapter, given) is { } ignored)
        {
            model.Notices = [.. model.Notices, ignored]; // of a checkpoint, Resumption tells it
        }

        adapter = adapter with
        {
            Lora = adapter.Lora with { Dropout = config.Tuning.LoraDropout },
            ModulesToSave = [.. adapter.ModulesToSave.Union(whole, StringComparer.Ordinal)],
            TokenIndices = TokenRows.Attach(config.Tuning, model, adapter),
        };
        return model.Ledger.Rows.Count > 0 && AdapterChecks.LossProblem(config.Tuning) is { } problem
            ? throw new ConfigException($"{problem} (the adapter that training goes on with has such rows)")
            : adapter;
    }

    private static PeftConfig Fresh(TrainConfig config, VisionLanguageModel model, ModelFamily family, DropoutStream? dropout)
    {
        var targets = LoraTargets.Choose(
            model, family, config.Tuning.LoraTarget,
            config.Tuning.FreezeVisionTower, config.Tuning.FreezeMultiModalProjector, config.Tuning.FreezeLanguageModel,
            config.Tuning.ExcludeModules);
        var options = new LoraOptions
        {
            Rank = config.Tuning.LoraRank,
            Alpha = config.Tuning.EffectiveLoraAlpha,
            Dropout = config.Tuning.LoraDropout,
            RankStabilized = config.Tuning.UseRslora,
            Decomposed = config.Tuning.UseDora,
            Start = config.Tuning.Start,
            RankPattern = config.Tuning.RankPattern,
            AlphaPattern = config.Tuning.AlphaPattern,
        };
        var parameters = config.Tuning.LoraTargetParameters;
        var experts = ExpertTargets.Choose(model, parameters, "lora_target_parameters", config.Tuning.FreezeLanguageModel);
        Adapters.Attach(model.Ledger, options, path => targets.Matches(path) || experts.Paths.Contains(path), dropout: dropout, spelled: model.Names.ToModule);
        return PeftConfig.For(config.Model.Name, options, targets, parameters: parameters) with { TaskType = family.TaskType };
    }

    /// <summary>What fresh adapters begin with leaves the base, by rank 0's numbers: a decomposition need not give the same ones on every machine.</summary>
    private void TakeOut(Mesh mesh)
    {
        var fresh = Model.Ledger.Adaptables.Select(target => target.Lora).OfType<LoraAdapter>().Where(lora => lora.Initial is null).ToList();
        if (Adapter is not { Lora.Start.ChangesBase: true } || fresh.Count == 0)
        {
            return;
        }

        foreach (var parameter in fresh.SelectMany(lora => lora.Parameters))
        {
            mesh.Broadcast(parameter.Value, what: $"the broadcast of {parameter.Name}").Wait();
        }

        Adapters.TakeOut(Model.Ledger);
    }

    /// <summary>Whether a name is the head's where the embeddings are the head.</summary>
    private static bool IsTiedHead(VisionLanguageModel model, string target) =>
        target == "lm_head" && model.Head.Name.EndsWith($"{PeftConfig.Embeddings}.weight", StringComparison.Ordinal);

    /// <summary>The adapter with which training goes on; null for a fresh one.</summary>
    private static string? GoesOnFrom(TrainConfig config, string? resumeFrom) =>
        resumeFrom ?? (config.Tuning.CreateNewAdapter ? null : config.Model.AdapterNameOrPath.LastOrDefault());

    private static IReadOnlyList<string> CheckAdapters(TrainConfig config, ModelSource source, string? resumeFrom)
    {
        string[] given = GoesOnFrom(config, resumeFrom) is { } own ? [.. config.AdaptersBelow, own] : [.. config.AdaptersBelow];
        var problems = given.Where(folder => !PeftAdapter.IsAdapter(folder))
            .Select(folder => $"{(folder == resumeFrom ? "resume_from_checkpoint" : "adapter_name_or_path")}: {AdapterFolder.Problem(folder)}").ToList();
        return problems.Count > 0 ? throw new ConfigException(problems) : AdapterBase.Check(
            source, given, resumeFrom,
            "go on with the model that the run began with, or begin a new run: its folder as adapter_name_or_path, and another output_dir");
    }

    private static void CheckAdditional(TrainConfig config, VisionLanguageModel model)
    {
        var nowhere = config.Tuning.AdditionalTarget
            .Where(target => !IsTiedHead(model, target) && !model.Ledger.Trainable.Any(p => new PeftConfig { ModulesToSave = [target] }.SavesWhole(p.Name)))
            .Select(target => $"additional_target: the model has no module whose name ends with '{target}' (for instance lm_head or embed_tokens)")
            .ToList();
        if (model.Ledger.Adaptables.OfType<ExpertLinears>().FirstOrDefault(weight => weight.Weight.Trainable) is { } whole)
        {
            // Their layout in a file of PEFT is Transformers', in the model's folder the hub's.
            nowhere.Add($"additional_target: {whole.Module} holds experts, which are not saved whole beside an adapter; lora_target_parameters adapts them");
        }

        if (nowhere.Count > 0)
        {
            throw new ConfigException(nowhere);
        }
    }
}
