using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Models.Slices;

namespace Fovea.Models.MiniCpmV46;

/// <summary>MiniCPM-V-4.6's tokenizer, template and slices. LLaMA-Factory brings its pictures to no other size before.</summary>
internal sealed record MiniCpmV46Processor(Tokenizer Tokenizer, ChatTemplate Template, IMediaProcessor Images) : ModelProcessor(Tokenizer, Template, Images)
{
    /// <param name="source">A model folder with config.json, tokenizer.json and perhaps preprocessor_config.json.</param>
    /// <exception cref="ConfigException">A file is missing or wrong.</exception>
    public static ModelProcessor Load(ModelSource source, MiniCpmV46Options? options = null)
    {
        var config = MiniCpmV46Config.Read(source.Config);
        var (tokenizer, template) = (source.Tokenizer(), ChatTemplates.MiniCpmV46);
        if (tokenizer.IdOf(template.ImageToken!) is { } id && id != config.ImageTokenId)
        {
            throw source.Config.Wrong("image_token_id", $"{id}, the tokenizer's {template.ImageToken}");
        }

        var file = SliceFile.Read(source.Folder, config);
        var side = Downsampling.Side(Downsampling.Keeps(options?.DownsampleMode, config.KeepsWindows));
        var style = new SliceStyle
        {
            Name = "minicpmv4_6/1",
            PatchesOfToken = side * side,
            TagsCells = true,
            Numbers = file.Numbers,
            Filter = ResizeFilter.TorchBicubic,
            TurnsUpright = true,
            FusesColours = true,
        };
        return new MiniCpmV46Processor(tokenizer, template, new SlicedMedia(style, file.Slicing, file.Mean, file.Deviation)) { Rows = config.VocabularySize };
    }
}
