using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Models.Grids;

namespace Fovea.Models.Qwen25Vl;

/// <summary>Qwen2.5-VL's tokenizer, template and media processor; the last two are those of Qwen2-VL.</summary>
internal sealed record Qwen25VlProcessor(Tokenizer Tokenizer, IMediaProcessor Images) : ModelProcessor(Tokenizer, ChatTemplates.Qwen2Vl, Images)
{
    /// <param name="source">A model folder with config.json, tokenizer.json and preprocessor_config.json.</param>
    /// <param name="preResize">A resize that comes before the model's own; null for none.</param>
    /// <exception cref="ConfigException">A file is missing or wrong.</exception>
    public static ModelProcessor Load(ModelSource source, PreResize? preResize = null)
    {
        var config = Qwen25VlConfig.Read(source.Config);
        var (tokenizer, images) = GridFiles.Load(source, config.ImageTokenId, config.Vision.Patches, preResize);
        return new Qwen25VlProcessor(tokenizer, images) { Rows = config.VocabularySize, Objects = GridObjects.InPixels };
    }
}
