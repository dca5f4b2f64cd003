using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;

namespace Fovea.Models.MiniMindV;

/// <summary>MiniMind's tokenizer, and template and media processor of the generation.</summary>
internal sealed record MiniMindVProcessor(Tokenizer Tokenizer, ChatTemplate Template, IMediaProcessor Images) : ModelProcessor(Tokenizer, Template, Images)
{
    /// <summary>The model's configuration.</summary>
    public required MiniMindVConfig Config { get; init; }

    /// <summary>What the run's configuration says of this family.</summary>
    public required MiniMindVOptions Options { get; init; }

    /// <param name="source">A model folder with tokenizer.json and the encoder's folder.</param>
    /// <exception cref="ConfigException">A file is missing or wrong.</exception>
    public static ModelProcessor Load(ModelSource source, MiniMindVOptions? options = null)
    {
        var config = MiniMindVConfig.Read(source);
        var template = config.Generation == MiniMindVGeneration.A ? ChatTemplates.MiniMind : ChatTemplates.MiniMind3;
        var tokenizer = source.Tokenizer();
        if (tokenizer.IdOf(template.ImageToken!) is { } id && id != config.ImageTokenId)
        {
            throw source.Config.Refused("image_ids", $"{config.ImageTokenId} is not the tokenizer's {template.ImageToken}, which is {id}");
        }

        return new MiniMindVProcessor(tokenizer, template, new MiniMindVMedia(config.VisionFolder, config.Vision))
        {
            Config = config,
            Options = options ?? new MiniMindVOptions(),
            Rows = config.VocabularySize,
        };
    }

    public override ISampleEncoder NewEncoder(DataOptions options) => Template.Model is not null
        ? base.NewEncoder(options)
        : new MiniMindVSampleEncoder(Template, Tokenizer, Images, options, Config, Options);
}
