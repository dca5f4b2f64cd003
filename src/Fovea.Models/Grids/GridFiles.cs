using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;

namespace Fovea.Models.Grids;

/// <summary>The tokenizer and the image processor of a model folder.</summary>
internal static class GridFiles
{
    /// <param name="source">A model folder with config.json, tokenizer.json and preprocessor_config.json.</param>
    /// <param name="imageToken">The id of the images' tokens as config.json says; the tokenizer must say the same.</param>
    /// <param name="patches">The vision tower's; the image processor must cut the same.</param>
    /// <param name="preResize">A resize that comes before the model's own; null for none.</param>
    /// <exception cref="ConfigException">A file is missing or wrong.</exception>
    public static (Tokenizer Tokenizer, IMediaProcessor Images) Load(ModelSource source, int imageToken, PatchShape patches, PreResize? preResize)
    {
        var tokenizer = source.Tokenizer();
        var name = ChatTemplates.Qwen2Vl.ImageToken!;
        if (tokenizer.IdOf(name) is { } id && id != imageToken)
        {
            throw source.Config.Wrong("image_token_id", $"{id}, the tokenizer's {name}");
        }

        GridImages.Check(source.Folder, patches);
        return (tokenizer, new Qwen2VlMedia(Qwen2VlImageProcessor.Load(source.Folder, preResize)));
    }
}
