using System.Text;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Tokenizers;

namespace Fovea.Data.Templates;

/// <summary>
/// Turns conversations into ids and labels exactly as LLaMA-Factory's supervised processor does, turn by turn, including how it truncates.
/// Where its truncation would cut an image, that turn and those after it are dropped whole instead. Usable from several threads at once.
/// </summary>
public sealed class SampleEncoder : ISampleEncoder
{
    private readonly ChatTemplate template;
    private readonly Tokenizer tokenizer;
    private readonly IImageStage? images;
    private readonly DataOptions options;
    private readonly int imageId = -1;
    private readonly string imageText;

    /// <summary>Without <paramref name="images"/>, samples with images are refused.</summary>
    public SampleEncoder(ChatTemplate template, Tokenizer tokenizer, IImageStage? images, DataOptions options)
    {
        this.template = template;
        this.tokenizer = tokenizer;
        this.images = images;
        this.options = options;
        imageText = template.ImageOpen + template.ImageToken + template.ImageClose;
        if (template.ImageToken is { } token)
        {
            imageId = tokenizer.IdOf(token)
                ?? throw new ConfigException($"template: {template.Name} needs the token {token}, which the model's tokenizer does not have");
        }
    }

    /// <summary>Id of the token that stands for a piece of an image; -1 for templates of text only.</summary>
    public int ImageTokenId => imageId;

    /// <summary>Encodes one conversation; what cannot be trained on (an unreadable image, too long) is a <see cref="BadSampleException"/>.</summary>
    public EncodedSample Encode(Conversation conversation)
    {
        var layouts = Layouts(conversation);
        var parts = new List<Part>();
        for (var i = 0; i < layouts.Length; i++)
        {
            parts.AddRange(layouts[i].Parts.Select((grid, part) => new Part(conversation.Images[i], part, grid)));
        }

        return Assemble(conversation, parts, EncodeTurns(conversation, layouts, parts));
    }

    /// <summary>
    /// Ids up to where an answer to <paramref name="question"/> begins, for generation; <paramref name="history"/> are earlier turns.
    /// Image tokens stand there once an image or part of one: expand them with <see cref="Expand"/>.
    /// </summary>
    /// <param name="layouts">What becomes of each image; null where each is one part.</param>
    public int[] EncodePrompt(string? system, IReadOnlyList<Turn> history, string question, IReadOnlyList<ImageLayout>? layouts = null)
    {
        var ids = new List<int>();
        var image = 0;
        foreach (var turn in history)
        {
            AppendSource(ids, ids.Count == 0, system, WithImages(turn.User, layouts ?? [], ref image));
            Append(ids, ChatTemplate.Fill(template.Assistant, WithImages(turn.Assistant, layouts ?? [], ref image)));
        }

        AppendSource(ids, ids.Count == 0, system, WithImages(question, layouts ?? [], ref image));
        return ids.ToArray();
    }

    /// <summary>Repeats each image token as often as its image needs, in order.</summary>
    public int[] Expand(ReadOnlySpan<int> ids, IReadOnlyList<int> tokensOfImages)
    {
        var total = ids.Length - tokensOfImages.Count;
        foreach (var tokens in tokensOfImages)
        {
            total += tokens;
        }

        var expanded = new int[total];
        var at = 0;
        var image = 0;
        foreach (var id in ids)
        {
            var times = id == imageId ? tokensOfImages[image++] : 1;
            expanded.AsSpan(at, times).Fill(id);
            at += times;
        }

        return expanded;
    }

    private static BadSampleException Bad(Conversation conversation, string reason, Exception? inner = null) =>
        new(new BadSample(conversation.Dataset, conversation.Row, reason), inner);

    private ImageLayout[] Layouts(Conversation conversation)
    {
        var layouts = new ImageLayout[conversation.Images.Count];
        if (layouts.Length > 0 && (this.images is null || imageId < 0))
        {
            throw Bad(conversation, $"has images, which template {template.Name} does not take");
        }

        for (var i = 0; i < layouts.Length; i++)
        {
            try
            {
                layouts[i] = this.images!.LayoutOf(conversation.Images[i]);
            }
            catch (Exception e) when (e is FoveaException or IOException or UnauthorizedAccessException)
            {
                throw Bad(conversation, e is ImageException ? e.Message : $"image {conversation.Images[i]}: {e.Message}", e);
            }
        }

        return layouts;
    }

    /// <summary>Writes what stands for the coming images in place of their placeholders.</summary>
    private string WithImages(string text, IReadOnlyList<ImageLayout> layouts, ref int image)
    {
        var pieces = imageId < 0 ? [text] : text.Split(Conversation.ImagePlaceholder);
        if (pieces.Length == 1)
        {
            return text;
        }

        var written = new StringBuilder(pieces[0]);
        foreach (var piece in pieces.AsSpan(1))
        {
            written.Append((image < layouts.Count ? this.images?.TextOf(image, layouts[image]) : null) ?? imageText).Append(piece);
            image++;
        }

        return written.ToString();
    }

    private void Append(List<int> ids, string text) => tokenizer.Encode(text, ids);

    private void AppendSource(List<int> ids, bool first, string? system, string user)
    {
        if (first)
        {
            Append(ids, template.Prefix);
            var prompt = string.IsNullOrEmpty(system) ? options.DefaultSystem ?? template.DefaultSystem : system;
            if (prompt.Length > 0)
            {
                Append(ids, ChatTemplate.Fill(template.System, prompt));
            }
        }

        Append(ids, ChatTemplate.Fill(template.User, user));
    }

    private List<EncodedTurn> EncodeTurns(Conversation conversation, ImageLayout[] layouts, List<Part> parts)
    {
        var turns = new List<EncodedTurn>(conversation.Turns.Count);
        var (image, part) = (0, 0);
        for (var t = 0; t < conversation.Turns.Count; t++)
        {
            var ids = new List<int>();
            AppendSource(ids, t == 0, conversation.System, WithImages(conversation.Turns[t].User, layouts, ref image));
            var source = Expand(conversation, ids, parts, part);
            ids.Clear();
            Append(ids, ChatTemplate.Fill(template.Assistant, WithImages(conversation.Turns[t].Assistant, layouts, ref image)));
            var target = Expand(conversation, ids, parts, part + source.Spans.Length);
            turns.Add(new EncodedTurn(source.Ids, target.Ids, part, source.Spans, target.Spans));
            part += source.Spans.Length + target.Spans.Length;
        }

        if (part != parts.Count)
        {
            throw Bad(conversation, $"the text itself holds {template.ImageToken}; only {Conversation.ImagePlaceholder} may stand for an image");
        }

        return turns;
    }

    private (int[] Ids, (int Start, int Length)[] Spans) Expand(Conversation conversation, List<int> ids, List<Part> parts, int first)
    {
        var count = 0;
        foreach (var id in ids)
        {
            count += id == imageId ? 1 : 0;
        }

        if (first + count > parts.Count)
        {
            throw Bad(conversation, $"the text itself holds {template.ImageToken}; only {Conversation.ImagePlaceholder} may stand for an image");
        }

        if (count == 0)
        {
            return (ids.ToArray(), []);
        }

        var tokens = new int[count];
        for (var i = 0; i < count; i++)
        {
            tokens[i] = this.images!.TokensOf(parts[first + i].Grid);
        }

        var expanded = Expand(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(ids), tokens);
        var spans = new (int, int)[count];
        var shift = 0;
        var image = 0;
        for (var i = 0; i < ids.Count; i++)
        {
            if (ids[i] == imageId)
            {
                spans[image] = (i + shift, tokens[image]);
                shift += tokens[image++] - 1;
            }
        }

        return (expanded, spans);
    }

    private EncodedSample Assemble(Conversation conversation, List<Part> parts, List<EncodedTurn> turns)
    {
        var kept = new List<(EncodedTurn Turn, int Source, int Target, bool Trained)>();
        var total = 0;
        var truncated = false;
        var cutsImage = false;
        for (var i = 0; i < turns.Count; i++)
        {
            var turn = turns[options.MaskHistory ? turns.Count - 1 - i : i];
            if (total >= options.CutoffLength)
            {
                truncated = true;
                break;
            }

            var (source, target) = EncodedTurn.Shorten(turn.Source.Length, turn.Target.Length, options.CutoffLength - total);
            truncated |= source < turn.Source.Length || target < turn.Target.Length;
            if (turn.LosesImages(source, target))
            {
                cutsImage = true;
                break;
            }

            total += source + target;
            kept.Add((turn, source, target, !options.MaskHistory || i == 0));
        }

        if (kept.Count == 0)
        {
            var all = turns.Sum(t => t.Source.Length + t.Target.Length);
            var reason = cutsImage
                ? $"too long: of {all} tokens cutoff_len {options.CutoffLength} would cut an image; raise cutoff_len or lower image_max_pixels"
                : $"too long: cutoff_len {options.CutoffLength} leaves nothing of {all} tokens";
            throw new BadSampleException(new BadSample(conversation.Dataset, conversation.Row, reason) { TooLong = true });
        }

        if (options.MaskHistory)
        {
            kept.Reverse();
        }

        var ids = new int[total];
        var labels = new int[total];
        Array.Fill(labels, EncodedSample.Ignored);
        var images = new List<ImageRef>();
        var at = 0;
        foreach (var (turn, source, target, trained) in kept)
        {
            turn.Source.AsSpan(0, source).CopyTo(ids.AsSpan(at));
            turn.Target.AsSpan(0, target).CopyTo(ids.AsSpan(at + source));
            if (options.TrainOnPrompt)
            {
                turn.Source.AsSpan(0, source).CopyTo(labels.AsSpan(at));
            }

            if (trained)
            {
                turn.Target.AsSpan(0, target).CopyTo(labels.AsSpan(at + source));
            }

            AddImages(images, parts, turn.FirstImage, turn.SourceImages, at);
            AddImages(images, parts, turn.FirstImage + turn.SourceImages.Length, turn.TargetImages, at + source);
            at += source + target;
        }

        return new EncodedSample(ids, labels, images, conversation.Dataset, conversation.Row) { Truncated = truncated };
    }

    private static void AddImages(List<ImageRef> images, List<Part> parts, int first, (int Start, int Length)[] spans, int offset)
    {
        for (var i = 0; i < spans.Length; i++)
        {
            var (source, part, grid) = parts[first + i];
            images.Add(new ImageRef(source, grid, offset + spans[i].Start, spans[i].Length) { Part = part });
        }
    }

    /// <summary>An image, or a part of one.</summary>
    private sealed record Part(MediaSource Source, int Number, ImageGrid Grid);
}
