using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Models.Grids;

namespace Fovea.Models.Qwen3Vl;

/// <summary>
/// Qwen3-VL's tokenizer, template and media processor. The last is Qwen2-VL's with larger patches and other colours. Checkpoints come in a kind that answers
/// and one that thinks first, alike in everything but their chat template's text.
/// </summary>
internal sealed record Qwen3VlProcessor(Tokenizer Tokenizer, ChatTemplate Template, IMediaProcessor Images) : ModelProcessor(Tokenizer, Template, Images)
{
    /// <param name="source">A model folder with config.json, tokenizer.json and preprocessor_config.json.</param>
    /// <param name="preResize">A resize that comes before the model's own; null for none.</param>
    /// <exception cref="ConfigException">A file is missing or wrong.</exception>
    public static ModelProcessor Load(ModelSource source, PreResize? preResize = null)
    {
        var config = Qwen3VlConfig.Read(source.Config);
        var (tokenizer, images) = GridFiles.Load(source, config.ImageTokenId, config.Vision.Patches, preResize);
        return new Qwen3VlProcessor(tokenizer, TemplateOf(tokenizer), images) { Rows = config.VocabularySize, Objects = GridObjects.InThousandths };
    }

    private static ChatTemplate TemplateOf(Tokenizer tokenizer)
    {
        var thinking = ChatTemplates.Qwen3Vl;
        return tokenizer.ChatTemplate?.Contains(thinking.Thought!.Close.Trim(), StringComparison.Ordinal) == true ? thinking : ChatTemplates.Qwen3VlNothink;
    }
}
