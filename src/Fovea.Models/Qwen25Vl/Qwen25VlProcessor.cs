using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;

namespace Fovea.Models.Qwen25Vl;

/// <summary>Qwen2.5-VL's tokenizer, template and image stage; the last two are those of Qwen2-VL.</summary>
public sealed record Qwen25VlProcessor(Tokenizer Tokenizer, IImageStage Images) : ModelProcessor(Tokenizer, ChatTemplates.Qwen2Vl, Images)
{
    /// <param name="folder">A model folder with tokenizer.json and preprocessor_config.json.</param>
    /// <param name="preResize">A resize that comes before the model's own; null for none.</param>
    /// <exception cref="ConfigException">A file is missing or wrong.</exception>
    public static ModelProcessor Load(string folder, PreResize? preResize = null) =>
        new Qwen25VlProcessor(Tokenizer.Load(folder), new Qwen2VlImageStage(Qwen2VlImageProcessor.Load(folder, preResize)));
}
