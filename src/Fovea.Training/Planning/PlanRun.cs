using Fovea.Distributed;
using Fovea.Tensors;
using Fovea.Training.Config;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Training.Planning;

/// <summary>Counts the memory of a configuration under each setting of <c>zero</c> and <c>offload</c>.</summary>
internal static class PlanRun
{
    // An allocator never fills a card to the last byte.
    private const double Usable = 0.95;

    private const string NoSetting =
        "the ZeRO stages and kinds of offload that were asked for have no setting in common: offload: optimizer needs zero: 1 to 3, offload: cpu needs zero: 3";

    // From fast to slow: what is not divided need not be sent, and the host is the slowest place.
    private static readonly (int Zero, OffloadKind Offload)[] Preferred =
    [
        (0, OffloadKind.None), (1, OffloadKind.None), (2, OffloadKind.None), (3, OffloadKind.None), (1, OffloadKind.Optimizer),
        (2, OffloadKind.Optimizer), (3, OffloadKind.Optimizer), (3, OffloadKind.Cpu),
    ];

    public static MemoryPlan Run(TrainConfig config, MemoryPlanRequest options)
    {
        var card = options.DeviceBytes ?? config.Memory.MemoryBudget?.Bytes;
        var source = BaseModel.Open(config);
        config = ResolvedTuning.Of(config);
        using var shapes = ModelShapes.Load(config, source);
        var model = shapes.Model;
        RateRule.Check(config, model.Ledger.Trainable.Select(p => p.Name), source.Family.PartOf);
        var onHost = config.Model.UseCpu || config.Model.Device == "cpu" || (card is null && ModelSetup.ChooseDevice(config).Type == DeviceType.Cpu);
        var tokens = Math.Max(options.Length ?? config.Data.CutoffLen, config.Memory.MicroBatchTokens ?? 0);
        var patches = shapes.VisionLearns ? model.MostPatches(config.Data.ImageMaxPixels, tokens) : 0;
        var groups = ShardGroup.Of(model);
        var types = ShardTypes.Of(
            model, config, mapped: onHost && !config.ChangesBase && shapes.Stored == model.Ledger.Options.Compute, onHost,
            mapsPacked: onHost && source.Quantization is not null);
        var costs = new Dictionary<int, ActivationCosts>();
        var rows = new List<MemoryPlanRow>();
        var split = config.Parallel.SequenceParallelSize;
        var leftOut = new SortedDictionary<int, string>();
        if (SequenceHeads.Refusal(model, split) is { } heads)
        {
            throw new ConfigException(heads);
        }

        foreach (var ranks in options.Ranks)
        {
            var settings = Settings(ranks, options).ToList();
            if ((Refusal(config, ranks) ?? (settings.Count == 0 ? NoSetting : null)) is { } why)
            {
                leftOut[ranks] = why;
                continue;
            }

            foreach (var (zero, offload) in settings)
            {
                var sharding = new ShardingOptions
                {
                    Stage = zero, OffloadOptimizer = offload != OffloadKind.None, OffloadParameters = offload == OffloadKind.Cpu,
                };
                var alike = zero == 2 ? 1 : zero; // in what a pass keeps
                if (!costs.TryGetValue(alike, out var kept))
                {
                    costs.Add(alike, kept = ActivationCosts.Measure(model, alike, onHost, split));
                }

                var forecast = Forecast(
                    config.Memory.ActivationOffload, card,
                    moves => MemoryForecast.For(model, config, groups, kept, types, sharding, ranks, tokens, patches, onHost, moves));
                rows.Add(new MemoryPlanRow(ranks, zero, offload)
                {
                    Weights = forecast.Shards.Weights,
                    Gathered = forecast.Shards.Gathered,
                    Gradients = forecast.Shards.Gradients,
                    Optimizer = forecast.Shards.Optimizer,
                    Activations = forecast.Activations,
                    Buffers = forecast.Buffers + forecast.Shards.Transit,
                    Device = forecast.Device,
                    Host = forecast.Host,
                    OffloadedActivations = forecast.Moved,
                    Mapped = forecast.Shards.Mapped,
                    Fits = Fits(forecast, card),
                });
            }
        }

        if (rows.Count == 0 && leftOut.Count > 0)
        {
            throw new ConfigException(leftOut.Values.Distinct().ToList());
        }

        return new MemoryPlan
        {
            Model = config.Model.Name,
            Family = source.Family.ModelType,
            Parameters = model.Ledger.Count + model.Ledger.AdapterParameters.Sum(p => p.Count),
            TrainableParameters = model.Ledger.Trainable.Sum(p => p.Count),
            Dtype = config.Model.ComputeName,
            Tokens = tokens,
            Patches = patches,
            Device = onHost ? "cpu" : "cuda",
            DeviceBytes = card,
            Rows = rows,
            LeftOut = leftOut,
            Choices = [.. options.Ranks.Select(ranks => Choose(rows, ranks)).OfType<MemoryPlanRow>()],
        };
    }

    /// <summary>Why a run would not begin on so many ranks; null where it would.</summary>
    private static string? Refusal(TrainConfig config, int ranks)
    {
        try
        {
            config.CheckRanks(ranks);
            return null;
        }
        catch (ConfigException e)
        {
            return string.Join("; ", e.Problems);
        }
    }

    private static bool? Fits(MemoryForecast forecast, long? card) => card is { } bytes ? forecast.Device <= bytes * Usable : null;

    /// <summary>Inputs of recomputed blocks count as the host's where the configuration says so, or else where the device has no room for them.</summary>
    private static MemoryForecast Forecast(Toggle offload, long? card, Func<bool, MemoryForecast> of)
    {
        var stays = of(offload == Toggle.On);
        return offload == Toggle.Auto && Fits(stays, card) == false && of(true) is var moved && moved.Device < stays.Device ? moved : stays;
    }

    private static IEnumerable<(int Zero, OffloadKind Offload)> Settings(int ranks, MemoryPlanRequest options)
    {
        foreach (var zero in options.Stages ?? [0, 1, 2, 3])
        {
            foreach (var offload in options.Offloads)
            {
                var possible = offload switch { OffloadKind.None => true, OffloadKind.Optimizer => zero > 0, _ => zero == 3 };

                // On one rank there is nothing to divide: the stages differ in what they move to the host alone.
                var useful = ranks > 1 || zero == 0 || (offload != OffloadKind.None && zero != 2);
                if (possible && (useful || options.Stages is not null))
                {
                    yield return (zero, offload);
                }
            }
        }
    }

    private static MemoryPlanRow? Choose(List<MemoryPlanRow> rows, int ranks)
    {
        foreach (var (zero, offload) in Preferred)
        {
            if (rows.Find(row => row.Ranks == ranks && row.Zero == zero && row.Kind == offload && row.Fits == true) is { } row)
            {
                return row;
            }
        }

        return null;
    }
}
