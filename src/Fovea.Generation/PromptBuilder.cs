using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Objects;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Models;

namespace Fovea.Generation;

/// <summary>Turns a conversation with images into a <see cref="Prompt"/>, up to where the next answer begins, with the ids that training uses.</summary>
internal sealed class PromptBuilder
{
    private readonly ChatTemplate template;
    private readonly IMediaProcessor media;
    private readonly SampleEncoder encoder;
    private readonly TokenRows? rows;
    private readonly ObjectText? objects;

    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="template">The chat template that the model was trained with.</param>
    /// <param name="media">The family's way from pictures to patches.</param>
    /// <param name="options">The system prompt of conversations without one, and what becomes of thoughts; null for the template's and the defaults.</param>
    /// <param name="rows">Refuses tokens that the model has no embedding for; null for no such look.</param>
    /// <param name="objects">Writes names and places of objects; null refuses them.</param>
    public PromptBuilder(
        Tokenizer tokenizer, ChatTemplate template, IMediaProcessor media, DataOptions? options = null, TokenRows? rows = null, ObjectText? objects = null)
    {
        (this.template, this.media, this.rows, this.objects, Tokenizer) = (template, media, rows, objects, tokenizer);
        encoder = new SampleEncoder(template, tokenizer, media, options ?? new DataOptions());
    }

    public Tokenizer Tokenizer { get; }

    /// <summary>How prompts end whatever a configuration says of thoughts; null where it decides.</summary>
    public string? PromptEnd => template.Thought?.PromptEnd;

    /// <summary>A picture as patches.</summary>
    /// <exception cref="ImageException">It cannot be used; names the picture and the reason.</exception>
    public ProcessedMedia Read(MediaSource source) => media.Process(source);

    /// <summary>A question with its images.</summary>
    /// <param name="text">The question; <c>&lt;image&gt;</c> says where an image goes, images without one come first, each as the template ends them.</param>
    /// <param name="images">The images in that order.</param>
    /// <exception cref="ConfigException">There are more places than images.</exception>
    public Message Question(string text, IReadOnlyList<MediaSource> images)
    {
        var image = 0;
        return new Message(Role.User, Placeholders.Split(WithPlaceholders(text, images.Count, template.ImageEnd), () => images[image++]));
    }

    /// <param name="conversation">Perhaps a system message, earlier questions with their answers, and an open question.</param>
    /// <param name="images">All its images as patches, in order.</param>
    /// <exception cref="ConfigException">It holds what the model does not take.</exception>
    public Prompt Build(Conversation conversation, IReadOnlyList<ProcessedMedia> images)
    {
        conversation = objects?.Fill(conversation) ?? conversation;
        var words = conversation.Messages[^1].Parts.OfType<Text>();
        if (template.ImageToken is { } token && words.Any(text => text.Value.Contains(token, StringComparison.Ordinal)))
        {
            throw new ConfigException($"the text holds {token}, which the model reads as part of an image; write <image> where an image goes");
        }

        var asked = conversation.Images.Count;
        if (asked != images.Count || (asked > 0 && template.ImageToken is null))
        {
            var none = template.ImageToken is null ? "; its template takes none" : string.Empty;
            throw new ConfigException($"the conversation has {asked} images, and {images.Count} were read{none}");
        }

        conversation = conversation with { Messages = [.. conversation.Messages.Select(WithoutImageWords)] };
        var parts = images.SelectMany(image => image.Parts).ToList();
        var tokens = images.SelectMany(image => image.Plan.Tokens).ToArray();
        var ids = encoder.EncodePrompt(conversation, [.. images.Select(image => image.Plan)]);
        if (rows?.Problem(ids) is { } problem)
        {
            throw new ConfigException(problem);
        }

        var places = template.ImageToken is null ? 0 : ids.AsSpan().Count(encoder.ImageTokenId);
        if (places != parts.Count)
        {
            throw new ConfigException($"the text has {places} places for {parts.Count} parts of images; only <image> may stand for an image");
        }

        var placed = new List<PromptImage>(parts.Count);
        var shift = 0;
        for (var i = 0; i < ids.Length && placed.Count < parts.Count; i++)
        {
            if (ids[i] == encoder.ImageTokenId)
            {
                placed.Add(new PromptImage(parts[placed.Count], i + shift, tokens[placed.Count]));
                shift += placed[^1].Tokens - 1;
            }
        }

        return new Prompt(encoder.Expand(ids, tokens), placed);
    }

    /// <summary>A prompt of these tokens and no images.</summary>
    /// <exception cref="ConfigException">The model has no embedding for one of them.</exception>
    public Prompt Bare(int[] ids) => rows?.Problem(ids) is { } problem ? throw new ConfigException(problem) : new Prompt(ids, []);

    /// <summary>The ids of <see cref="Build"/>, from the headers of the images alone.</summary>
    /// <exception cref="BadSampleException">An image cannot be used.</exception>
    public int[] Ids(Conversation conversation)
    {
        conversation = objects?.Fill(conversation) ?? conversation;
        var plans = conversation.Images.Select(source => media.PlanFor(conversation, source)).ToList();
        conversation = conversation with { Messages = [.. conversation.Messages.Select(WithoutImageWords)] };
        return encoder.Expand(encoder.EncodePrompt(conversation, plans), [.. plans.SelectMany(plan => plan.Tokens)]);
    }

    /// <summary>Puts a placeholder before the text for every image that has none in it.</summary>
    /// <param name="end">Stands behind each.</param>
    /// <exception cref="ConfigException">There are more placeholders than images.</exception>
    public static string WithPlaceholders(string text, int images, string end = "")
    {
        var places = Placeholders.Count(text);
        return places <= images
            ? string.Concat(Enumerable.Repeat(Placeholders.Image + end, images - places)) + text
            : throw new ConfigException($"the text has {places} times <image>, but {images} images were given");
    }

    /// <summary>An answer that talks about placeholders must not become a place for an image when it is part of the next prompt.</summary>
    private Message WithoutImageWords(Message message) => message.Role != Role.Assistant
        ? message
        : message with { Parts = [.. message.Parts.Select(part => part is Text text ? new Text(WithoutImageWords(text.Value)) : part)] };

    private string WithoutImageWords(string answer)
    {
        answer = answer.Replace(Placeholders.Image, string.Empty, StringComparison.Ordinal);
        return template.ImageToken is null ? answer : answer.Replace(template.ImageToken, string.Empty, StringComparison.Ordinal);
    }
}
