using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;

namespace Fovea.Models;

/// <summary>What stands between people's text and images and a model: its tokenizer, its own chat template and its way from image files to patches.</summary>
public record ModelProcessor(Tokenizer Tokenizer, ChatTemplate Template, IMediaProcessor Images)
{
    /// <summary>Rows of the model's embeddings (<c>vocab_size</c>); 0 where they are not known.</summary>
    public int Rows { get; init; }

    /// <summary>The tokenizer beside the embeddings: which of its tokens the model can compute.</summary>
    public TokenRows TokenRows => new(Tokenizer, Rows);

    /// <summary>The same with what a configuration says about data.</summary>
    /// <exception cref="ConfigException">It asks for what the family does not have.</exception>
    public virtual ModelProcessor With(DataOptions options) => options is { LlmType: null, MaxSliceNums: null }
        ? this
        : throw new ConfigException("llm_type and max_slice_nums are for MiniCPM-V; this model has neither");

    /// <summary>
    /// Which of the conversations that the family's own trainer knows is written, as its <c>llm_type</c> names it, also where that was not given; null where
    /// a template alone says it.
    /// </summary>
    public virtual string? LlmType(DataOptions options) => null;

    /// <summary>How samples become ids and labels.</summary>
    public virtual ISampleEncoder NewEncoder(DataOptions options) => new SampleEncoder(Template, Tokenizer, Images, options);
}
