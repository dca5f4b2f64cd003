using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Models;

namespace Fovea.Generation;

/// <summary>Turns a conversation with images into a <see cref="Prompt"/>, up to where the next answer begins, with the ids that training uses.</summary>
public sealed class PromptBuilder
{
    private readonly ChatTemplate template;
    private readonly IImageStage stage;
    private readonly SampleEncoder encoder;
    private readonly TokenRows? rows;

    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="template">The chat template that the model was trained with.</param>
    /// <param name="stage">The family's way from image files to patches.</param>
    /// <param name="defaultSystem">System prompt of conversations without one; null is the template's.</param>
    /// <param name="rows">Refuses tokens that the model has no embedding for; null for no such look.</param>
    public PromptBuilder(Tokenizer tokenizer, ChatTemplate template, IImageStage stage, string? defaultSystem = null, TokenRows? rows = null)
    {
        (this.template, this.stage, this.rows) = (template, stage, rows);
        encoder = new SampleEncoder(template, tokenizer, stage, new DataOptions { Datasets = [], Template = template.Name, DefaultSystem = defaultSystem });
    }

    /// <summary>An image file as patches.</summary>
    /// <exception cref="ImageException">It cannot be used; names file and reason.</exception>
    public ProcessedImage ReadImage(string path)
    {
        var layout = stage.LayoutOf(path);
        var parts = new ProcessedImage[layout.Parts.Count];
        for (var i = 0; i < parts.Length; i++)
        {
            parts[i] = new ProcessedImage(layout.Parts[i], new float[layout.Parts[i].Patches * stage.PatchLength]);
            stage.Load(path, i, parts[i].Grid, parts[i].Patches);
        }

        return parts[0] with { Cells = parts[1..], Columns = layout.Columns };
    }

    /// <param name="system">The system prompt; null or empty is the default one.</param>
    /// <param name="history">Earlier turns; <c>&lt;image&gt;</c> in a question stands for an image.</param>
    /// <param name="question">The open question.</param>
    /// <param name="images">All images in the order of their placeholders.</param>
    /// <exception cref="ConfigException">Placeholders and images do not match in number.</exception>
    public Prompt Build(string? system, IReadOnlyList<Turn> history, string question, IReadOnlyList<ProcessedImage> images)
    {
        if (template.ImageToken is not null && question.Contains(template.ImageToken, StringComparison.Ordinal))
        {
            throw new ConfigException($"the text holds {template.ImageToken}, which the model reads as part of an image; write <image> where an image goes");
        }

        var answers = history.Select(turn => turn with { Assistant = WithoutImages(turn.Assistant) }).ToList();
        var parts = images.SelectMany(image => image.Cells.Prepend(image)).ToList();
        var layouts = images.Select(image => new ImageLayout([image.Grid, .. image.Cells.Select(cell => cell.Grid)], image.Columns)).ToList();
        var ids = encoder.EncodePrompt(system, answers, question, layouts);
        if (rows?.Problem(ids) is { } problem)
        {
            throw new ConfigException(problem);
        }

        var places = template.ImageToken is null ? 0 : ids.AsSpan().Count(encoder.ImageTokenId);
        if (places != parts.Count)
        {
            places = history.Select(turn => turn.User).Append(question).Sum(text => text.Split(Conversation.ImagePlaceholder).Length - 1);
            throw new ConfigException($"the conversation has {places} places for images (<image>) and {images.Count} images");
        }

        var tokens = parts.Select(part => stage.TokensOf(part.Grid)).ToArray();
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

    /// <summary>As <see cref="WithPlaceholders(string, int, string)"/>, the template's way.</summary>
    public string Show(string text, int images) => WithPlaceholders(text, images, template.ImageEnd);

    /// <summary>Puts a placeholder before the text for every image that has none in it.</summary>
    /// <param name="end">Stands behind each.</param>
    /// <exception cref="ConfigException">There are more placeholders than images.</exception>
    public static string WithPlaceholders(string text, int images, string end = "")
    {
        var places = text.Split(Conversation.ImagePlaceholder).Length - 1;
        return places <= images
            ? string.Concat(Enumerable.Repeat(Conversation.ImagePlaceholder + end, images - places)) + text
            : throw new ConfigException($"the text has {places} times <image>, but {images} images were given");
    }

    /// <summary>An answer that talks about placeholders must not become a place for an image when it is part of the next prompt.</summary>
    private string WithoutImages(string answer)
    {
        answer = answer.Replace(Conversation.ImagePlaceholder, string.Empty, StringComparison.Ordinal);
        return template.ImageToken is null ? answer : answer.Replace(template.ImageToken, string.Empty, StringComparison.Ordinal);
    }
}
