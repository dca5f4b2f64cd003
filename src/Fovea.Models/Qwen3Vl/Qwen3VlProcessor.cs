using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Models.Grids;

namespace Fovea.Models.Qwen3Vl;

/// <summary>Qwen3-VL's tokenizer, template and media processor; the last is Qwen2-VL's with other numbers.</summary>
internal sealed record Qwen3VlProcessor(Tokenizer Tokenizer, IMediaProcessor Images) : ModelProcessor(Tokenizer, ChatTemplates.Qwen2Vl, Images)
{
    /// <param name="source">A model folder with config.json, tokenizer.json and preprocessor_config.json.</param>
    /// <param name="preResize">A resize that comes before the model's own; null for none.</param>
    /// <exception cref="ConfigException">A file is missing or wrong.</exception>
    public static ModelProcessor Load(ModelSource source, PreResize? preResize = null)
    {
        var config = Qwen3VlConfig.Read(source.Config);
        var tokenizer = Tokenizer.Load(source.Folder);
        if (tokenizer.IdOf(ChatTemplates.Qwen2Vl.ImageToken!) is { } id && id != config.ImageTokenId)
        {
            throw source.Config.Wrong("image_token_id", $"{id}, the tokenizer's {ChatTemplates.Qwen2Vl.ImageToken}");
        }

        GridImages.Check(source.Folder, config.Vision.Patches);
        return new Qwen3VlProcessor(tokenizer, new Qwen2VlMedia(Qwen2VlImageProcessor.Load(source.Folder, preResize)))
        {
            Rows = config.VocabularySize,
        };
    }
}
