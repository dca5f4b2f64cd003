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

    /// <summary>Looks whether the weights' files are there and whole, without reading weights.</summary>
    /// <exception cref="FoveaException">One is missing or damaged.</exception>
    public void CheckFiles()
    {
        using IDisposable files = Family.Files is { } own ? own.Open(this) : Checkpoint.Open(Folder);
    }

    /// <summary>Builds the model over weights from elsewhere (<see cref="ModelFamily.Build"/>).</summary>
    public VisionLanguageModel Build(IWeightSource weights, ModelOptions options)
    {
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
        IWeightSource all = Family.StacksExperts ? StackedExperts.Over(weights) : weights;
        var model = Build(Vocabulary is null ? all : new EnlargedSource(all, Vocabulary), options);
        try
        {
            // A tied head may have been saved all the same; an inverse frequency is a constant that old releases wrote.
            model.Ledger.CheckComplete(
                checkpoint.Path,
                name => name == "lm_head.weight" || name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal) || Family.LeavesAlone(name));
            var alone = checkpoint.Tensors.Keys.Count(name => Family.LeavesAlone(Family.Names.ToLedger(wrapped.Plain(name))));
            var leftAlone = alone == 0 ? null : Family.NoticeOf(alone);
            model.Notices = [.. new[] { wrapped.Notice, leftAlone }.OfType<string>(), .. UnknownFields()];
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
        var model = Build(files, options);
        try
        {
            model.Ledger.CheckComplete(Folder, held: files.Held);
            model.Notices = [.. UnknownFields(), .. files.Notices(model.Ledger, name => name == "lm_head.weight")];
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private IReadOnlyList<string> UnknownFields() => Family.UnknownFields(this) is { Count: > 0 } fields
        ? [$"{Folder}: these fields of its JSON files are not known and have no effect: {string.Join(", ", fields)}"]
        : [];
}
