using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Objects;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;

namespace Fovea.Models;

/// <summary>What stands between people's text and images and a model: its tokenizer, its own chat template and its way from image files to patches.</summary>
internal record ModelProcessor(Tokenizer Tokenizer, ChatTemplate Template, IMediaProcessor Images)
{
    /// <summary>Rows of the model's embeddings (<c>vocab_size</c>); 0 where they are not known.</summary>
    public int Rows { get; init; }

    /// <summary>How the family writes names and places of objects; null where it has no published form.</summary>
    public ObjectForm? Objects { get; init; }

    /// <summary>The tokenizer beside the embeddings: which of its tokens the model can compute.</summary>
    public TokenRows TokenRows => new(Tokenizer, Rows);

    /// <summary>The same with what a configuration says about data.</summary>
    /// <exception cref="ConfigException">It asks for what the family does not have.</exception>
    public virtual ModelProcessor With(DataOptions options) => this;

    /// <summary>What the family's own keys come to, also where they were not given, by key: a resumed run must come to the same.</summary>
    public virtual IReadOnlyDictionary<string, string?> Outcomes(DataOptions options) => new Dictionary<string, string?>();

    /// <summary>How samples become ids and labels.</summary>
    public virtual ISampleEncoder NewEncoder(DataOptions options) => new SampleEncoder(Template, Tokenizer, Images, options);
}
