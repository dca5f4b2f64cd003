using Fovea.Data.Images;
using Fovea.Nn;

namespace Fovea.Models;

/// <summary>One model family: how a folder becomes a model, what its weights are called, and what it alone can do.</summary>
internal abstract class ModelFamily
{
    /// <summary>The <c>model_type</c> of its config.json.</summary>
    public abstract string ModelType { get; }

    /// <summary>Other <c>model_type</c>s that it reads.</summary>
    public virtual IReadOnlyList<string> OtherTypes => [];

    /// <summary>What people call it.</summary>
    public abstract string Title { get; }

    /// <summary>How its weights are called in files and in the ledger.</summary>
    public abstract NameMap Names { get; }

    /// <summary>Its options with their defaults.</summary>
    public virtual FamilyOptions Options => FamilyOptions.None;

    /// <summary>What PEFT is told that the model is for; null for models that only their own code can use.</summary>
    public virtual string? TaskType => "CAUSAL_LM";

    /// <summary>Its own layout of weight files; null for Transformers' files under the checkpoint's names.</summary>
    public virtual IModelFiles? Files => null;

    /// <summary>Whether it reads the file from which its own training scripts go on.</summary>
    public virtual bool ReadsResumeFiles => false;

    /// <summary>The part that a weight or layer belongs to.</summary>
    /// <param name="name">The ledger's.</param>
    public abstract ModelPart PartOf(string name);

    /// <summary>Loads a model folder's tokenizer, template and media processor.</summary>
    /// <param name="preResize">A resize of images that comes first; null is none.</param>
    /// <param name="options">The family's own; null is their defaults.</param>
    /// <exception cref="ConfigException">A file is missing or wrong.</exception>
    public abstract ModelProcessor Process(ModelSource source, PreResize? preResize = null, FamilyOptions? options = null);

    /// <summary>Builds the model.</summary>
    /// <param name="weights">In the ledger's names.</param>
    public abstract VisionLanguageModel Build(ModelSource source, IWeightSource weights, ModelOptions options);

    /// <summary>Opens the file from which its own training scripts go on, for a built model.</summary>
    public virtual ResumeFile OpenResumeFile(string path, Ledger ledger) => throw new NotSupportedException($"{Title} has no such file");

    /// <summary>Layers of the language model as its config.json counts them.</summary>
    public virtual int CountLayers(ConfigReader json) => (json.Section("text_config") ?? json).Int("num_hidden_layers");

    /// <summary>Fields of a model folder's JSON files that nobody knows and whose names say nothing.</summary>
    public virtual IReadOnlyList<string> UnknownFields(ModelSource source) => [];

    /// <summary>Whether its files may have the linears of experts one by one, where its model has those of all experts as one weight.</summary>
    public virtual bool StacksExperts => false;

    /// <summary>Weights of a checkpoint that the model does not use; they are written back as they were.</summary>
    public virtual bool LeavesAlone(string name) => false;

    /// <summary>What is said of them; null for nothing.</summary>
    /// <param name="leftAlone">How many a checkpoint has, at least one.</param>
    public virtual string? NoticeOf(int leftAlone) => null;
}
