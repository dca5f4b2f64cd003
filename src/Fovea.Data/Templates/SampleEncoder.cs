using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates.Jinja;
using Fovea.Data.Tokenizers;

namespace Fovea.Data.Templates;

/// <summary>
/// Turns conversations into ids and labels exactly as LLaMA-Factory's supervised processor does, turn by turn, including how it truncates.
/// Where its truncation would cut an image, that turn and those after it are dropped whole instead. Usable from several threads at once.
/// </summary>
internal sealed class SampleEncoder : ISampleEncoder
{
    private readonly ChatTemplate template;
    private readonly Tokenizer tokenizer;
    private readonly IMediaProcessor? images;
    private readonly DataOptions options;
    private readonly AnswerWeights answers;
    private readonly int imageId = -1;
    private readonly string imageText;

    /// <summary>Without <paramref name="images"/>, samples with images are refused.</summary>
    public SampleEncoder(ChatTemplate template, Tokenizer tokenizer, IMediaProcessor? images, DataOptions options)
    {
        this.template = template;
        this.tokenizer = tokenizer;
        this.images = images;
        this.options = options;
        answers = new AnswerWeights(tokenizer, options.Scale);
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
        var exchanges = Exchanges.Of(conversation, tools: template.Model is not null);
        var planned = Plans(conversation);
        var parts = new List<Part>();
        foreach (var (source, plan) in planned)
        {
            parts.AddRange(plan.Parts.Select((_, part) => new Part(source, plan, part)));
        }

        return Assemble(conversation, parts, EncodeTurns(conversation, exchanges, [.. planned.Select(p => p.Plan)], parts));
    }

    /// <summary>
    /// Ids up to where an answer to the conversation's last message begins, for generation. Image tokens stand there once an image or part of one: expand
    /// them with <see cref="Expand(ReadOnlySpan{int}, IReadOnlyList{int})"/>.
    /// </summary>
    /// <param name="plans">What becomes of each image, in order.</param>
    public int[] EncodePrompt(Conversation conversation, IReadOnlyList<MediaPlan> plans)
    {
        var exchanges = Exchanges.OfPrompt(conversation, tools: template.Model is not null);
        var ids = new List<int>();
        if (template.Model is not null)
        {
            foreach (var turn in Rendered(conversation, exchanges, plans, reason => new ConfigException(reason), rendered => rendered.Prompt()))
            {
                Append(ids, turn.Source);
                Append(ids, turn.Target);
                Append(ids, turn.Closing);
            }

            return ids.ToArray();
        }

        var image = 0;
        foreach (var turn in exchanges.Turns)
        {
            AppendSource(ids, ids.Count == 0, exchanges.System, WithImages(turn.User, plans, ref image));
            var answer = WithImages(turn.Assistant, plans, ref image);
            Append(ids, ChatTemplate.Fill(template.Assistant, options.PreserveThinking ? answer : template.Thought?.Remove(answer) ?? answer));
        }

        AppendSource(ids, ids.Count == 0, exchanges.System, WithImages(exchanges.Open[0], plans, ref image));
        if (template.Thought is { } thought)
        {
            Append(ids, thought.PromptEnd ?? (options.EnableThinking == true ? string.Empty : thought.Empty));
        }

        return ids.ToArray();
    }

    /// <summary>The last answer as it is trained, what ends it included; images as <see cref="EncodePrompt"/> has them.</summary>
    /// <exception cref="BadSampleException">The conversation cannot be trained on.</exception>
    public string LastAnswer(Conversation conversation, IReadOnlyList<MediaPlan> plans) => template.Model is null
        ? ChatTemplate.Fill(template.Assistant, Placeholders.Join(conversation.Messages[^1]))
        : Rendered(
            conversation, Exchanges.Of(conversation, tools: true), plans, reason => BadSampleException.Of(conversation, reason),
            rendered => rendered.Turns())[^1].Target;

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

    private (MediaSource Source, MediaPlan Plan)[] Plans(Conversation conversation)
    {
        var sources = conversation.Images.ToArray();
        if (sources.Length > 0 && (this.images is null || imageId < 0))
        {
            throw BadSampleException.Of(conversation, $"has images, which template {template.Name} does not take");
        }

        return Array.ConvertAll(sources, source => (source, this.images!.PlanFor(conversation, source)));
    }

    /// <summary>A message as text, with what stands for the coming images in their places.</summary>
    private string WithImages(Message message, IReadOnlyList<MediaPlan> plans, ref int image)
    {
        var number = image;
        var text = Placeholders.Join(message.Parts, () => ImageText(plans, number++));
        image = number;
        return text;
    }

    private string ImageText(IReadOnlyList<MediaPlan> plans, int number) =>
        plans[number].Around is null ? imageText : plans[number].Write(number, template.ImageToken!);

    /// <summary>What the model's own template makes of a conversation.</summary>
    /// <param name="bad">The exception for one that it does not take.</param>
    private IReadOnlyList<RenderedTurn> Rendered(
        Conversation conversation, Exchanges exchanges, IReadOnlyList<MediaPlan> plans, Func<string, Exception> bad,
        Func<RenderedConversation, IReadOnlyList<RenderedTurn>> render)
    {
        try
        {
            return render(new RenderedConversation(template, options, exchanges, conversation.Tools, plans, number => ImageText(plans, number)));
        }
        catch (ConfigException e)
        {
            throw bad(e.Message);
        }
        catch (TemplateException e)
        {
            throw bad($"{template.Model}, {(e.Raised ? "where the template refuses the conversation, " : string.Empty)}{e.Message}");
        }
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

    private List<EncodedTurn> EncodeTurns(Conversation conversation, Exchanges exchanges, MediaPlan[] plans, List<Part> parts)
    {
        if (template.Model is not null)
        {
            return EncodeRendered(conversation, exchanges, plans, parts);
        }

        var turns = new List<EncodedTurn>(exchanges.Turns.Count);
        var (image, part) = (0, 0);
        for (var t = 0; t < exchanges.Turns.Count; t++)
        {
            var ids = new List<int>();
            AppendSource(ids, t == 0, exchanges.System, WithImages(exchanges.Turns[t].User, plans, ref image));
            var written = WithImages(exchanges.Turns[t].Assistant, plans, ref image);
            var (answer, empty) = Thoughts(written, isLast: t == exchanges.Turns.Count - 1);
            if (answer.Length < written.Length && exchanges.Turns[t].Assistant.Parts.Any(p => p is Image))
            {
                throw BadSampleException.Of(conversation, "has an image in an answer whose thought is dropped");
            }

            Append(ids, options.EnableThinking == true ? string.Empty : empty);
            var source = Expand(conversation, ids, parts, part);
            ids.Clear();
            var thought = options.EnableThinking == true ? empty : string.Empty;
            var message = exchanges.Turns[t].Assistant;
            var weights = answers.Append(ids, conversation, message, [thought, ChatTemplate.Fill(template.Assistant, answer)], EndOfSlot());
            var target = Expand(conversation, ids, parts, part + source.Spans.Length);
            turns.Add(new EncodedTurn(source.Ids, target.Ids, part, source.Spans, target.Spans)
            {
                Weights = AnswerWeights.Expand(weights, ids, imageId, target.Spans), Trained = message.Trained,
            });
            part += source.Spans.Length + target.Spans.Length;
        }

        return part == parts.Count ? turns : throw HoldsImageToken(conversation);
    }

    private List<EncodedTurn> EncodeRendered(Conversation conversation, Exchanges exchanges, MediaPlan[] plans, List<Part> parts)
    {
        var turns = new List<EncodedTurn>(exchanges.Turns.Count);
        var part = 0;
        var rendered = Rendered(conversation, exchanges, plans, reason => BadSampleException.Of(conversation, reason), rendered => rendered.Turns());
        for (var t = 0; t < rendered.Count; t++)
        {
            var (turn, message) = (rendered[t], AnswerWeights.AnswerOf(t, rendered.Count, conversation, exchanges));
            var ids = new List<int>();
            Append(ids, turn.Source);
            var source = Expand(conversation, ids, parts, part);
            ids.Clear();
            var weights = answers.Append(ids, conversation, message, [turn.Target], EndOf(turn.Target));
            var trained = ids.Count;
            Append(ids, turn.Closing);
            var closing = ids.Count - trained;
            var target = Expand(conversation, ids, parts, part + source.Spans.Length);
            turns.Add(new EncodedTurn(source.Ids, target.Ids, part, source.Spans, target.Spans)
            {
                Closing = closing, Weights = AnswerWeights.Expand(weights, ids, imageId, target.Spans), Trained = message?.Trained,
            });
            part += source.Spans.Length + target.Spans.Length;
        }

        return part == parts.Count ? turns : throw BadSampleException.Of(
            conversation, $"{template.Model}: the template writes {template.ImageToken} for {part} of {parts.Count} images or parts of them");
    }

    /// <summary>Characters at the end of a written answer that are the template's, not its text.</summary>
    private int EndOfSlot()
    {
        var at = template.Assistant.IndexOf(ChatTemplate.Content, StringComparison.Ordinal);
        return at < 0 ? 0 : template.Assistant.Length - at - ChatTemplate.Content.Length;
    }

    /// <summary>The same of an answer that the model's own template has written: what ends it, and spaces behind.</summary>
    private int EndOf(string target)
    {
        foreach (var stop in template.StopWords)
        {
            var at = target.LastIndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && string.IsNullOrWhiteSpace(target[(at + stop.Length)..]))
            {
                return target.Length - at;
            }
        }

        return 0;
    }

    private BadSampleException HoldsImageToken(Conversation conversation) =>
        BadSampleException.Of(conversation, $"the text itself holds {template.ImageToken}; only {Placeholders.Image} may stand for an image");

    /// <summary>An answer as it is trained, and the empty thought that is written before it; empty text for none (LLaMA-Factory's ReasoningTemplate).</summary>
    private (string Answer, string Empty) Thoughts(string answer, bool isLast)
    {
        if (template.Thought is not { } thought)
        {
            return (answer, string.Empty);
        }

        var drops = !isLast && options is { MaskHistory: true, PreserveThinking: false };
        answer = drops || options.EnableThinking == false ? thought.Remove(answer) : answer;
        return (answer, drops || thought.AreIn(answer) ? string.Empty : thought.Empty);
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
            throw HoldsImageToken(conversation);
        }

        if (count == 0)
        {
            return (ids.ToArray(), []);
        }

        var tokens = new int[count];
        for (var i = 0; i < count; i++)
        {
            tokens[i] = parts[first + i].Tokens;
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
            if (total >= options.CutoffLen)
            {
                truncated = true;
                break;
            }

            var (source, target) = EncodedTurn.Shorten(turn.Source.Length, turn.Target.Length, options.CutoffLen - total);
            truncated |= source < turn.Source.Length || target < turn.Target.Length;
            if (turn.LosesImages(source, target))
            {
                cutsImage = true;
                break;
            }

            total += source + target;
            kept.Add((turn, source, target, turn.Trained ?? (!options.MaskHistory || i == 0)));
        }

        if (kept.Count == 0)
        {
            var all = turns.Sum(t => t.Source.Length + t.Target.Length);
            var reason = cutsImage
                ? $"too long: of {all} tokens cutoff_len {options.CutoffLen} would cut an image; raise cutoff_len or lower image_max_pixels"
                : $"too long: cutoff_len {options.CutoffLen} leaves nothing of {all} tokens";
            throw BadSampleException.Of(conversation, reason, tooLong: true);
        }

        if (options.MaskHistory)
        {
            kept.Reverse();
        }

        var ids = new int[total];
        var labels = new int[total];
        Array.Fill(labels, EncodedSample.Ignored);
        var images = new List<ImageRef>();
        var starts = new List<int>(kept.Count);
        var weights = kept.Exists(k => k.Trained && k.Turn.Weights.Length > 0) ? new float[total] : [];
        Array.Fill(weights, 1);
        var at = 0;
        foreach (var (turn, source, target, trained) in kept)
        {
            starts.Add(at);
            turn.Source.AsSpan(0, source).CopyTo(ids.AsSpan(at));
            turn.Target.AsSpan(0, target).CopyTo(ids.AsSpan(at + source));
            if (options.TrainOnPrompt)
            {
                turn.Source.AsSpan(0, source).CopyTo(labels.AsSpan(at));
            }

            if (trained)
            {
                turn.Target.AsSpan(0, Math.Min(target, turn.Target.Length - turn.Closing)).CopyTo(labels.AsSpan(at + source));
                AnswerWeights.Apply(turn.Weights, target, labels.AsSpan(at + source), weights.AsSpan(weights.Length == 0 ? 0 : at + source));
            }

            AddImages(images, parts, turn.FirstImage, turn.SourceImages, at);
            AddImages(images, parts, turn.FirstImage + turn.SourceImages.Length, turn.TargetImages, at + source);
            at += source + target;
        }

        return EncodedSample.Of(conversation, ids, labels, images, truncated) with { Turns = starts, Weights = weights };
    }

    private static void AddImages(List<ImageRef> images, List<Part> parts, int first, (int Start, int Length)[] spans, int offset)
    {
        for (var i = 0; i < spans.Length; i++)
        {
            var (source, plan, part) = parts[first + i];
            images.Add(new ImageRef(source, plan.Parts[part], offset + spans[i].Start, spans[i].Length) { Part = part, Plan = plan });
        }
    }

    /// <summary>An image, or a part of one.</summary>
    private sealed record Part(MediaSource Source, MediaPlan Plan, int Number)
    {
        internal int Tokens => Plan.Tokens[Number];
    }
}
