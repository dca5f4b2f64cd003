using Fovea.Files.Safetensors;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Models.Peft;

/// <summary>
/// What an adapter began with that took it out of the base (PiSSA, OLoRA), in a folder inside its own: an adapter of PEFT's, under the name that LLaMA-Factory
/// gives it (<c>pissa_init</c>). With it what is left of the base is made again to the bit.
/// </summary>
internal static class InitialAdapter
{
    // ms-swift's name for it.
    private const string OtherName = "initial_model";

    /// <summary>The name of the folder of the initial matrices.</summary>
    public static string FolderOf(LoraStart start) => $"{start.Kind.ToString().ToLowerInvariant()}_init";

    /// <summary>The name of the folder of an adapter that was turned into one over the whole base.</summary>
    public static string ConvertedFolderOf(LoraStart start) => $"{start.Kind.ToString().ToLowerInvariant()}_converted";

    /// <summary>
    /// Takes what the model's adapter, which was read from a folder, began with out of the base: by the initial matrices beside it, or where there are none, as
    /// PEFT does, by decomposing the base again.
    /// </summary>
    /// <returns>What the user is to know, in a sentence; null for nothing.</returns>
    /// <exception cref="CheckpointException">The initial matrices do not fit the adapter.</exception>
    /// <exception cref="ConfigException">The base is kept in 4 bits.</exception>
    public static string? TakeOut(VisionLanguageModel model, ModelFamily family, PeftConfig config, string folder, AdapterContents contents)
    {
        CheckBase(model, config, folder, target => target.Lora is not null);
        if (!config.Lora.Start.ChangesBase || model.Ledger.Options.Device.Type == DeviceType.Meta)
        {
            return null;
        }

        var found = Find(folder, config.Lora.Start);
        using var checkpoint = found is null ? null : Checkpoint.OpenAdapter(found);
        var source = checkpoint is null ? null : new CheckpointSource(checkpoint, name => contents.Canonical(family, name));
        foreach (var target in model.Ledger.Adaptables.Where(target => target.Lora is not null))
        {
            using var grad = Autograd.NoGrad();
            using var scope = TensorScope.Open("weight");
            target.Lora!.Initial = source is null ? Anew(model, config, target) : Read(source, found!, target);
        }

        Nn.Lora.Adapters.TakeOut(model.Ledger);
        return found is null && config.Lora.Start.Iterations is not null
            ? $"{folder} was trained over what {config.Lora.Start.Name} left of the base, without the matrices that it began with beside it "
                + $"({FolderOf(config.Lora.Start)}): they were drawn again, as PEFT does, and come near only where the iterations were enough"
            : null;
    }

    /// <summary>Refuses an adapter that took its part out of the base's own weights over one in 4 bits.</summary>
    /// <param name="adapts">What the adapter lies on.</param>
    /// <exception cref="ConfigException">The base is kept in 4 bits.</exception>
    public static void CheckBase(VisionLanguageModel model, PeftConfig config, string folder, Func<Adaptable, bool> adapts)
    {
        if (config.Lora.Start.ChangesBase && model.Ledger.Adaptables.FirstOrDefault(target => target.Weight.IsFourBit && adapts(target)) is { } packed)
        {
            throw new ConfigException($"{folder} was trained over what {config.Lora.Start.Name} left of the base's own weights, and "
                + $"{packed.Path} is kept in 4 bits here: load it over the model in 16 bits, without quantization_bit, or give the "
                + $"adapter that pissa_convert: true writes ({ConvertedFolderOf(config.Lora.Start)})");
        }
    }

    /// <summary>Writes the initial matrices of the model's adapters into an adapter's folder; nothing where they have none.</summary>
    public static void Write(VisionLanguageModel model, PeftConfig config, string folder)
    {
        var adapters = Begun(model);
        if (adapters.Count == 0)
        {
            return;
        }

        var target = Path.Combine(folder, FolderOf(config.Lora.Start));
        Directory.CreateDirectory(target);
        Write(target, adapters.SelectMany(lora => new[]
        {
            TensorBytes.Source(NameOf(model, lora.A), lora.Initial!.A), TensorBytes.Source(NameOf(model, lora.B), lora.Initial.B),
        }));
        var plain = config.Lora with { Start = LoraStart.Plain, Decomposed = false };
        (config with { ModulesToSave = [], TokenIndices = new Dictionary<string, IReadOnlyList<int>>(), Lora = plain }).Write(target);
    }

    /// <summary>
    /// Writes the adapter as one over the whole base: W - s B0 A0 + s B A is W plus a product of twice the rank. All else that lies beside it stays.
    /// </summary>
    public static void WriteConverted(VisionLanguageModel model, PeftConfig config, string folder)
    {
        var converted = Convert(config);
        var whole = Begun(model).SelectMany(lora => lora.Magnitude is { } magnitude ? new[] { magnitude } : [])
            .Concat(model.Ledger.Rows.Select(trained => trained.Rows)).Concat(PeftAdapter.WholeWeights(model, config));
        Directory.CreateDirectory(folder);
        Write(folder, Begun(model).SelectMany(lora => new[]
        {
            Joined(NameOf(model, lora.A), lora.A, lora.Initial!.A, dim: 0, factor: 1),
            Joined(NameOf(model, lora.B), lora.B, lora.Initial.B, dim: 1, factor: -1),
        }).Concat(whole.Select(parameter => TensorBytes.Source(NameOf(model, parameter), parameter))));
        converted.Write(folder);
    }

    /// <summary>The configuration of <see cref="WriteConverted"/>: the scale of every module stays what it was.</summary>
    internal static PeftConfig Convert(PeftConfig config)
    {
        var lora = config.Lora;
        return config with
        {
            Lora = lora with
            {
                Start = LoraStart.Plain,
                Rank = 2 * lora.Rank,
                Alpha = lora.RankStabilized ? lora.Alpha * Math.Sqrt(2) : 2 * lora.Alpha,
                RankPattern = lora.RankPattern.ToDictionary(pair => pair.Key, pair => 2 * pair.Value),
                AlphaPattern = lora.AlphaPattern.ToDictionary(pair => pair.Key, pair => lora.RankStabilized ? pair.Value * Math.Sqrt(2) : 2 * pair.Value),
            },
        };
    }

    /// <summary>Beside the adapter; of a checkpoint of another program's, beside that.</summary>
    private static string? Find(string folder, LoraStart start)
    {
        var place = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        string[] around = Path.GetFileName(place).StartsWith("checkpoint-", StringComparison.Ordinal)
            ? [place, Path.GetDirectoryName(place) ?? place]
            : [place];
        return around.SelectMany(at => new[] { Path.Combine(at, FolderOf(start)), Path.Combine(at, OtherName) }).FirstOrDefault(PeftAdapter.IsAdapter);
    }

    private static InitialFactors Read(CheckpointSource source, string folder, Adaptable target)
    {
        Tensor Of(Parameter own) => source.Has(own.Name)
            ? source.Read(own.Name, own.Shape)
            : throw new CheckpointException($"{folder} has no {own.Name}, which the adapter that began with it has");

        return InitialFactors.Of(Of(target.Lora!.A), Of(target.Lora.B));
    }

    private static InitialFactors Anew(VisionLanguageModel model, PeftConfig config, Adaptable target)
    {
        var own = config.Lora.For(target.Path, model.Names.ToModule(target.Path));
        var (a, b) = own.Start.Factors(target, own, model.Device);
        return InitialFactors.Of(a, b);
    }

    private static List<LoraAdapter> Begun(VisionLanguageModel model) =>
        [.. model.Ledger.Adaptables.Select(target => target.Lora).OfType<LoraAdapter>().Where(lora => lora.Initial is not null)];

    private static string NameOf(VisionLanguageModel model, Parameter parameter) => $"{AdapterContents.Prefix}{model.Names.ToModule(parameter.Name)}";

    private static void Write(string folder, IEnumerable<TensorSource> tensors) => SafetensorsWriter.Write(
        Path.Combine(folder, PeftAdapter.WeightsName), [.. tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal)]);

    private static TensorSource Joined(string name, Parameter own, Tensor initial, int dim, double factor)
    {
        long[] shape = [.. own.Shape.Select((size, i) => i == dim ? 2 * size : size)];
        return new TensorSource(name, own.Master, shape, stream =>
        {
            using var grad = Autograd.NoGrad();
            using var scope = TensorScope.Open("weight");
            using var whole = own.Whole();
            var joined = ShapeOps.Cat([whole.Value.Detach().To(Device.Cpu), initial.Mul(factor).To(own.Master)], dim);
            TensorBytes.Source(name, joined).WriteTo(stream);
        });
    }
}
