using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Data.Images;
using Fovea.Data.Tokenizers;
using Fovea.Files.Safetensors;
using Fovea.Models.Vocabularies;
using Fovea.Nn;

namespace Fovea.Models;

/// <summary>
/// A model folder as a run, a verb or a load found it: its config.json, opened once, and the family that this names. It is what is handed on instead of the
/// folder's name. Nobody keeps one across a write into its folder: what was written is opened anew.
/// </summary>
internal sealed class ModelSource
{
    private readonly Dictionary<string, ConfigReader> others = new(StringComparer.Ordinal);

    private ModelSource(string folder, ConfigReader own, ModelFamily family, Vocabulary? vocabulary = null)
    {
        (Folder, Own, Family, Vocabulary) = (folder, own, family, vocabulary);
        Config = vocabulary is null ? own : own.With(JsonSerializer.SerializeToElement(vocabulary.Enlarged(JsonObject.Create(own.Element)!)));
    }

    public string Folder { get; }

    /// <summary>The folder's config.json, with as many rows of embeddings as the vocabulary has.</summary>
    public ConfigReader Config { get; }

    /// <summary>The folder's config.json as it is.</summary>
    public ConfigReader Own { get; }

    /// <summary>New tokens that the model is given; null where the folder's are all.</summary>
    public Vocabulary? Vocabulary { get; }

    public ModelFamily Family { get; }

    /// <summary>How its weights were rounded to 4 bits, as config.json says; null where it says nothing.</summary>
    /// <exception cref="ConfigException">It is quantised in another way.</exception>
    public QuantizationConfig? Quantization => QuantizationConfig.Read(Config);

    /// <exception cref="ConfigException">There is no config.json, or it names a type that is not supported.</exception>
    public static ModelSource Open(string folder) => Of(folder, ConfigReader.Open(Families.ConfigPath(folder)));

    /// <summary>The same for who has opened the folder's config.json already.</summary>
    public static ModelSource Of(string folder, ConfigReader config) => new(folder, config, Families.Of(folder, config));

    /// <summary>The same folder's model with more tokens; null is the folder's own.</summary>
    public ModelSource With(Vocabulary? vocabulary) => vocabulary is null ? this : new(Folder, Own, Family, vocabulary);

    /// <summary>The folder's tokenizer, with the new tokens.</summary>
    public Tokenizer Tokenizer() => Vocabulary?.Tokenizer ?? Data.Tokenizers.Tokenizer.Load(Folder);

    /// <summary>The config.json of another folder that belongs to the model, such as its image encoder's; opened once too.</summary>
    public ConfigReader ConfigOf(string folder)
    {
        if (!others.TryGetValue(folder, out var config))
        {
            others.Add(folder, config = ConfigReader.Open(Families.ConfigPath(folder)));
        }

        return config;
    }

    /// <summary>Loads the tokenizer, template and media processor (<see cref="ModelFamily.Process"/>).</summary>
    public ModelProcessor Process(PreResize? preResize = null, FamilyOptions? options = null) => Family.Process(this, preResize, options);

    /// <summary>Which weights the files have in 4 bits, in the ledger's names; null where config.json says nothing of it, or there are no files.</summary>
    public IReadOnlySet<string>? FourBitNames()
    {
        if (Quantization is null || Family.Files is not null)
        {
            return null;
        }

        try
        {
            using var checkpoint = Checkpoint.Open(Folder);
            var wrapped = WrapperNames.In(checkpoint);
            return FourBitEntries.In(checkpoint).Names.Select(name => Family.Names.ToLedger(wrapped.Plain(name))).ToHashSet(StringComparer.Ordinal);
        }
        catch (CheckpointException)
        {
            return null; // what is planned need not be here yet
        }
    }

    /// <summary>Looks whether the weights' files are there and whole, without reading weights.</summary>
    /// <exception cref="FoveaException">One is missing or damaged.</exception>
    public void CheckFiles()
    {
        using IDisposable files = Family.Files is { } own ? own.Open(this) : Checkpoint.Open(Folder);
    }

    /// <summary>Builds the model over weights from elsewhere (<see cref="ModelFamily.Build"/>).</summary>
    public VisionLanguageModel Build(IWeightSource weights, ModelOptions options)
    {
        _ = Quantization;
        var model = Family.Build(this, weights, options);
        model.Vocabulary = Vocabulary;
        return model;
    }

    /// <summary>Builds the model over the folder's weights: every one mapped, cast as asked; what is missing or left over is an error.</summary>
    public VisionLanguageModel Load(ModelOptions options)
    {
        if (Family.Files is { } own)
        {
            return Load(own, options);
        }

        using var checkpoint = Checkpoint.Open(Folder);
        var wrapped = WrapperNames.In(checkpoint);
        var weights = new CheckpointSource(checkpoint, name => Family.Names.ToLedger(wrapped.Plain(name)));
        var stored = HeldFourBit(weights, weights.Names);
        IWeightSource all = Family.StacksExperts ? StackedExperts.Over(weights) : weights;
        var model = Build(Vocabulary is null ? all : new EnlargedSource(all, Vocabulary), stored.Count > 0 ? options with { FourBit = null } : options);
        try
        {
            // A tied head may have been saved all the same; an inverse frequency is a constant that old releases wrote.
            model.Ledger.CheckComplete(
                checkpoint.Path,
                name => name == "lm_head.weight" || name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal) || Family.LeavesAlone(name));
            var alone = checkpoint.Tensors.Keys.Count(name => Family.LeavesAlone(Family.Names.ToLedger(wrapped.Plain(name))));
            var leftAlone = alone == 0 ? null : Family.NoticeOf(alone);
            model.Notices =
                [.. new[] { wrapped.Notice, leftAlone }.OfType<string>(), .. FourBitNotices.Of(model, this, options, stored), .. UnknownFields()];
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>As the other one, where only what is missing and cannot be made afresh is an error.</summary>
    private VisionLanguageModel Load(IModelFiles own, ModelOptions options)
    {
        using var files = own.Open(this, options.WeightsFile);
        var stored = HeldFourBit(files, files.Held);
        var model = Build(files, stored.Count > 0 ? options with { FourBit = null } : options);
        try
        {
            model.Ledger.CheckComplete(Folder, held: files.Held);
            model.Notices =
                [.. UnknownFields(), .. FourBitNotices.Of(model, this, options, stored), .. files.Notices(model.Ledger, name => name == "lm_head.weight")];
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Which weights the files have in 4 bits; that takes precedence over what is asked for.</summary>
    private List<string> HeldFourBit(IWeightSource files, IEnumerable<string> names)
    {
        var stored = names.Where(files.IsFourBit).ToList();
        return stored.Count > 0 || Quantization is null ? stored : throw new CheckpointException(
            $"{Families.ConfigPath(Folder)}: quantization_config says that weights are in 4 bits, and none in the files is (no weight has a "
            + $"{FourBitState.KeyStart}nf4 or __fp4); remove it from the file if the weights are in 16 bits, and use quantization_bit: 4");
    }

    private IReadOnlyList<string> UnknownFields() => Family.UnknownFields(this) is { Count: > 0 } fields
        ? [$"{Folder}: these fields of its JSON files are not known and have no effect: {string.Join(", ", fields)}"]
        : [];
}
