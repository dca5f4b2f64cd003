using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Models.Grids;

namespace Fovea.Models.Qwen35;

/// <summary>Qwen3.5's tokenizer, template and media processor; the last is Qwen2-VL's with larger patches and other colours.</summary>
internal sealed record Qwen35Processor(Tokenizer Tokenizer, ChatTemplate Template, IMediaProcessor Images) : ModelProcessor(Tokenizer, Template, Images)
{
    /// <param name="source">A model folder with config.json, tokenizer.json and preprocessor_config.json.</param>
    /// <param name="preResize">A resize that comes before the model's own; null for none.</param>
    /// <exception cref="ConfigException">A file is missing or wrong.</exception>
    public static ModelProcessor Load(ModelSource source, PreResize? preResize = null)
    {
        var config = Qwen35Config.Read(source.Config);
        var (tokenizer, images) = GridFiles.Load(source, config.ImageTokenId, config.Vision.Patches, preResize);
        return new Qwen35Processor(tokenizer, TemplateOf(tokenizer), images) { Rows = config.VocabularySize, Objects = GridObjects.InThousandths };
    }

    /// <summary>Published models think first; a chat template of the folder that knows no thoughts says otherwise.</summary>
    private static ChatTemplate TemplateOf(Tokenizer tokenizer)
    {
        var thinking = ChatTemplates.Qwen35;
        return tokenizer.ChatTemplate?.Contains(thinking.Thought!.Close.Trim(), StringComparison.Ordinal) == false ? ChatTemplates.Qwen35Nothink : thinking;
    }
}
