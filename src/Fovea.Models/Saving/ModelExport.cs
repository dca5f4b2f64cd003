using Fovea.Files.Safetensors;
using Fovea.Models.Peft;
using Fovea.Models.Vocabularies;
using Fovea.Nn;
using Fovea.Nn.FourBit;
using Fovea.Tensors;

namespace Fovea.Models.Saving;

/// <summary>Folds adapters into their base model and writes the result, on the CPU.</summary>
internal sealed record ModelExport
{
    /// <summary>Folder of the base model.</summary>
    public required string Model { get; init; }

    /// <summary>Replaces weights of the base by others before adapters are merged, and says what it did; null for none.</summary>
    public Func<VisionLanguageModel, string>? Overlay { get; init; }

    /// <summary>Adapter folders, merged in this order; none writes the base alone.</summary>
    public IReadOnlyList<string> Adapters { get; init; } = [];

    public required string Target { get; init; }

    /// <summary>Largest file in bytes.</summary>
    public long MaxShardBytes { get; init; } = ShardedWriter.DefaultShardBytes;

    /// <summary>Element type of the result; null keeps that of the base.</summary>
    public DType? DType { get; init; }

    /// <summary>Writes linears in bitsandbytes' 4 bits; null writes all in <see cref="DType"/>.</summary>
    public FourBitOptions? FourBit { get; init; }

    /// <summary>Write into a folder that holds other files.</summary>
    public bool Force { get; init; }

    /// <param name="say">Receives one line a stage.</param>
    /// <returns>The names of the files written.</returns>
    /// <exception cref="ConfigException">A folder is not what it should be, or the target is refused; before anything is loaded.</exception>
    /// <exception cref="CheckpointException">Weights do not fit, or the disk is full.</exception>
    public IReadOnlyList<string> Run(Action<string> say)
    {
        var source = Check();
        var (stored, count, bytes) = Stored(source);
        var room = FourBit is not null ? RoundedBytes(source, FourBit) : DType is { } asked ? count * asked.Size() : bytes;
        WriteTarget.Room(Target, "export_dir", room, "the model");
        foreach (var notice in AdapterBase.Check(source, Adapters, found: null, string.Empty))
        {
            say($"note: {notice}");
        }

        say($"loading {Model} ({stored.SafetensorsName()})");
        using var model = source.Load(new ModelOptions { Compute = stored, Master = Fovea.DType.F32 });
        if (Overlay is not null)
        {
            say(Overlay(model));
        }

        foreach (var adapter in Adapters)
        {
            var known = model.Notices.Count;
            var config = PeftAdapter.Attach(model, source.Family, adapter, trainable: false);
            foreach (var notice in model.Notices.Skip(known))
            {
                say($"note: {notice}");
            }

            var linears = model.Ledger.Linears.Count(linear => linear.Lora is not null);
            var experts = model.Ledger.Adaptables.Count(adaptable => adaptable is ExpertLinears { Lora: not null });
            Nn.Lora.Adapters.Merge(model.Ledger);
            say($"merged {adapter}: rank {config.Lora.Rank} on {linears} linear layers{(experts > 0 ? $" and {experts} weights of experts" : string.Empty)}");
        }

        var step = 0L;
        using var rounded = FourBit is null ? null : new FourBitExport(model, source.Family, FourBit);
        if (rounded is not null)
        {
            say($"{rounded.Count} linear layers are written in bitsandbytes' 4 bits ({FourBit!.Type.ToString().ToLowerInvariant()}"
                + $"{(FourBit.DoubleQuantization ? ", double quantisation" : string.Empty)})");
        }

        var type = DType == stored ? null : DType;
        var files = ModelWriter.Save(model, source.Family, Model, Target, MaxShardBytes, type, Force, Adapters, rounded, (done, total) =>
        {
            if (done * 10 / total > step)
            {
                step = done * 10 / total;
                say($"writing {Target}: {step * 10} % of {Size(total)}");
            }
        });
        say($"wrote {files.Count} files to {Target}");
        return files;
    }

    /// <summary>Bytes of all weights, linears in 4 bits; from shapes alone.</summary>
    internal long RoundedBytes(ModelSource source, FourBitOptions fourBit)
    {
        using var shapes = source.Build(new MetaSource(), new ModelOptions { Device = Device.Meta });
        using var rounded = new FourBitExport(shapes, source.Family, fourBit);
        using var checkpoint = Checkpoint.Open(source.Folder);
        var wrapped = WrapperNames.In(checkpoint);
        return checkpoint.Tensors.Sum(tensor => rounded.Rounds(source.Family.Names.ToLedger(wrapped.Plain(tensor.Key)))
            ? rounded.Bytes(Elements(tensor.Value))
            : Elements(tensor.Value) * (DType ?? tensor.Value.DType).Size());
    }

    private static string Size(long bytes) => bytes >= 1_000_000_000 ? $"{bytes / 1e9:0.0} GB" : $"{bytes / 1e6:0.0} MB";

    /// <summary>The element type of the base's weights, fp32, which holds the others, where there are several; how many elements and bytes they are.</summary>
    private static (DType Type, long Count, long Bytes) Stored(ModelSource source)
    {
        if (source.Family.Files is { } own)
        {
            using var files = own.Open(source);
            return (files.StoredType, files.Files.Sum(Elements), files.Files.Sum(Bytes));
        }

        using var checkpoint = Checkpoint.Open(source.Folder);
        return (StoredType(source.Folder, checkpoint), Elements(checkpoint), Bytes(checkpoint));
    }

    private static long Elements(Checkpoint checkpoint) => checkpoint.Tensors.Values.Sum(Elements);

    private static long Elements(TensorEntry entry) => entry.Bytes / entry.DType.Size();

    private static long Bytes(Checkpoint checkpoint) => checkpoint.Tensors.Values.Sum(entry => entry.Bytes);

    private static DType StoredType(string folder, Checkpoint checkpoint)
    {
        var types = checkpoint.Tensors.Values.Select(entry => entry.DType).Where(type => type.IsFloating()).Distinct().ToList();
        return types switch
        {
            [var one] when one is Fovea.DType.F32 or Fovea.DType.BF16 or Fovea.DType.F16 => one,
            _ when types.Any(type => type is Fovea.DType.F8E4M3 or Fovea.DType.F8E5M2) =>
                throw new ConfigException($"{folder} is quantised (8-bit floats); merge into the 16-bit model that it was made from"),
            _ => Fovea.DType.F32,
        };
    }

    private ModelSource Check()
    {
        var problems = new List<string>();
        ConfigReader? config = null;
        if (!File.Exists(Families.ConfigPath(Model)))
        {
            problems.Add($"model_name_or_path: {Model} is not a model folder here (no config.json); download the model and give its folder");
        }
        else if ((config = ConfigReader.Open(Families.ConfigPath(Model))).Has("quantization_config"))
        {
            problems.Add($"model_name_or_path: {Model} is quantised; merge into the 16-bit model that it was made from");
        }

        if (FourBit is not null && config is not null && Families.Of(Model, config).Files is not null)
        {
            problems.Add($"export_quantization_bit: {Model} has files of its own kind, in which no weight is in 4 bits; export it in 16 bits");
        }

        problems.AddRange(Adapters.Where(folder => !PeftAdapter.IsAdapter(folder))
            .Select(folder => $"adapter_name_or_path: {AdapterFolder.Problem(folder)}"));
        try
        {
            ExportFolder.Check(Model, Target, Force);
        }
        catch (ConfigException e)
        {
            problems.AddRange(e.Problems);
        }

        return problems.Count > 0 ? throw new ConfigException(problems) : AdapterTokens.Over(ModelSource.Of(Model, config!), Adapters);
    }
}
