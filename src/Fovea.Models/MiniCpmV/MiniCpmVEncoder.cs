using System.Text;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;

namespace Fovea.Models.MiniCpmV;

/// <summary>
/// Samples as OpenBMB's <c>finetune/dataset.py</c> makes them: the whole conversation is one text, what is trained is found in its ids, and labels say
/// what comes next (the end of an answer is trained once more behind itself). What its truncation would cut in an image is refused.
/// </summary>
public sealed class MiniCpmVEncoder : ISampleEncoder
{
    private const string Placeholder = "<unk>";
    private readonly Tokenizer tokenizer;
    private readonly MiniCpmVConfig config;
    private readonly MiniCpmVImageStage images;
    private readonly MiniCpmVDialogue dialogue;
    private readonly DataOptions options;
    private readonly string? defaultSystem;
    private readonly int end;
    private readonly int[] starts;
    private readonly int[] ends;

    /// <param name="dialogue">The trainer's <c>llm_type</c>.</param>
    /// <param name="defaultSystem">The system prompt that the model's own template writes where there is none; null for none.</param>
    public MiniCpmVEncoder(
        Tokenizer tokenizer, MiniCpmVConfig config, MiniCpmVImageStage images, MiniCpmVDialogue dialogue, DataOptions options, string? defaultSystem)
    {
        this.tokenizer = tokenizer;
        this.config = config;
        this.images = images;
        this.dialogue = dialogue;
        this.options = options;
        this.defaultSystem = options.DefaultSystem ?? defaultSystem;
        end = Id(dialogue switch
        {
            MiniCpmVDialogue.Llama3 => "<|eot_id|>",
            MiniCpmVDialogue.Qwen => "<|im_end|>",
            _ => tokenizer.EosToken ?? "</s>",
        });
        starts = config.NewSchema ? [Id("<image>"), Id("<slice>")] : [Id("<image>")];
        ends = config.NewSchema ? [Id("</image>"), Id("</slice>")] : [Id("</image>")];
    }

    public EncodedSample Encode(Conversation conversation) => Encode(conversation, null);

    /// <summary>
    /// The same with the images in another order: the original hands them to the model as a row lists them, although their places follow the text.
    /// </summary>
    /// <param name="listed">For each image in the order of the row's own list, which one of the conversation it is; null for the order of the text.</param>
    public EncodedSample Encode(Conversation conversation, IReadOnlyList<int>? listed)
    {
        var layouts = Layouts(conversation);
        var (ids, trained) = dialogue == MiniCpmVDialogue.MiniCpm ? Tagged(conversation, layouts) : Whole(conversation, layouts);
        var truncated = ids.Count > options.CutoffLength;
        if (truncated)
        {
            ids.RemoveRange(options.CutoffLength, ids.Count - options.CutoffLength);
        }

        var parts = new List<(MediaSource Source, int Part, ImageGrid Grid)>();
        foreach (var i in listed ?? [.. Enumerable.Range(0, layouts.Length)])
        {
            parts.AddRange(layouts[i].Parts.Select((grid, part) => (conversation.Images[i], part, grid)));
        }

        var bounds = Bounds(conversation, ids, parts.Count, truncated);
        var placed = parts.Select((part, i) => new ImageRef(part.Source, part.Grid, bounds[i], config.Queries) { Part = part.Part }).ToArray();
        return new EncodedSample([.. ids], Labels(ids, trained), placed, conversation.Dataset, conversation.Row) { Truncated = truncated };
    }

    private static BadSampleException Bad(Conversation conversation, string reason, Exception? inner = null, bool tooLong = false) =>
        new(new BadSample(conversation.Dataset, conversation.Row, reason) { TooLong = tooLong }, inner);

    private int Id(string token) =>
        tokenizer.IdOf(token) ?? throw new ConfigException(
            $"the model's tokenizer has no token {token}, which llm_type {dialogue.ToString().ToLowerInvariant()} needs; without it the model's own is taken");

    private ImageLayout[] Layouts(Conversation conversation)
    {
        var layouts = new ImageLayout[conversation.Images.Count];
        for (var i = 0; i < layouts.Length; i++)
        {
            try
            {
                layouts[i] = images.LayoutOf(conversation.Images[i]);
            }
            catch (Exception e) when (e is FoveaException or IOException or UnauthorizedAccessException)
            {
                throw Bad(conversation, e is ImageException ? e.Message : $"image {conversation.Images[i]}: {e.Message}", e);
            }
        }

        return layouts;
    }

    /// <summary>The messages in order, placeholders written out. Images that are cut are numbered; others are not, in training.</summary>
    private List<(bool User, string Text)> Messages(Conversation conversation, ImageLayout[] layouts)
    {
        var run = string.Concat(Enumerable.Repeat(Placeholder, config.Queries));
        var (image, number) = (0, 0);
        var messages = new List<(bool, string)>();
        foreach (var turn in conversation.Turns)
        {
            messages.Add((true, Write(turn.User)));
            messages.Add((false, Write(turn.Assistant)));
        }

        return messages;

        string Write(string text)
        {
            var pieces = text.Split(Conversation.ImagePlaceholder);
            var written = new StringBuilder(pieces[0]);
            foreach (var piece in pieces.AsSpan(1))
            {
                var layout = layouts[image++];
                var numbered = config.NewSchema && layout.Columns > 0;
                written.Append(images.Write(number, layout, run, numbered)).Append(piece);
                number += numbered ? 1 : 0;
            }

            return written.ToString();
        }
    }

    /// <summary>ChatML and Llama 3: one text; an answer begins behind its head and ends with what ends it.</summary>
    private (List<int> Ids, bool[] Trained) Whole(Conversation conversation, ImageLayout[] layouts)
    {
        var llama = dialogue == MiniCpmVDialogue.Llama3;
        var text = new StringBuilder(llama ? "<|begin_of_text|>" : string.Empty);
        var system = string.IsNullOrEmpty(conversation.System) ? defaultSystem : conversation.System;
        if (!string.IsNullOrEmpty(system))
        {
            Say("system", system);
        }

        foreach (var (user, message) in Messages(conversation, layouts))
        {
            Say(user ? "user" : "assistant", message);
        }

        var ids = new List<int>(tokenizer.Encode(text.ToString()));
        var trained = new bool[ids.Count];
        var (head, answers, skip) = (Id(llama ? "<|start_header_id|>" : "<|im_start|>"), Id("assistant"), llama ? 3 : 2);
        for (var i = 1; i < ids.Count; i++)
        {
            if (ids[i] == answers && ids[i - 1] == head)
            {
                var last = ids.IndexOf(end, i);
                Array.Fill(trained, true, Math.Min(i + skip, last), Math.Max(last + 1 - (i + skip), 1));
            }
        }

        return (ids, trained);

        void Say(string role, string content) => text.Append(llama
            ? $"<|start_header_id|>{role}<|end_header_id|>\n\n{content.Trim()}<|eot_id|>"
            : $"<|im_start|>{role}\n{content}<|im_end|>\n");
    }

    /// <summary>MiniCPM: a tag before each message, each tokenised by itself; the text ends with the end of sequence.</summary>
    private (List<int> Ids, bool[] Trained) Tagged(Conversation conversation, ImageLayout[] layouts)
    {
        var ids = new List<int>();
        var trained = new List<bool>();
        var messages = Messages(conversation, layouts);
        if (!string.IsNullOrEmpty(conversation.System))
        {
            messages[0] = (true, $"{conversation.System}\n{messages[0].Text}");
        }

        for (var i = 0; i < messages.Count; i++)
        {
            var (user, text) = messages[i];
            Add(user ? "<用户>" : "<AI>", false);
            Add(i == messages.Count - 1 ? text + tokenizer.EosToken : text, !user);
        }

        return (ids, [.. trained]);

        void Add(string text, bool isTrained)
        {
            tokenizer.Encode(text, ids);
            while (trained.Count < ids.Count)
            {
                trained.Add(isTrained);
            }
        }
    }

    /// <summary>Behind what is trained, its end is trained too: the original shifts labels itself and puts it there.</summary>
    private int[] Labels(List<int> ids, bool[] trained)
    {
        var labels = new int[ids.Count];
        for (var i = 0; i < labels.Length; i++)
        {
            labels[i] = trained[i] ? ids[i] : i > 0 && trained[i - 1] ? end : EncodedSample.Ignored;
        }

        return labels;
    }

    /// <summary>Where the tokens of each part begin.</summary>
    private List<int> Bounds(Conversation conversation, List<int> ids, int parts, bool truncated)
    {
        var bounds = new List<int>();
        for (var i = 0; i < ids.Count; i++)
        {
            if (Array.IndexOf(starts, ids[i]) >= 0 && (i + config.Queries + 1 < ids.Count) && Array.IndexOf(ends, ids[i + config.Queries + 1]) >= 0)
            {
                bounds.Add(i + 1);
            }
        }

        var marks = ids.Count(id => Array.IndexOf(starts, id) >= 0);
        if (bounds.Count == parts && marks == parts)
        {
            return bounds;
        }

        throw truncated
            ? Bad(
                conversation,
                $"too long: cutoff_len {options.CutoffLength} (model_max_length) would cut an image; raise it or lower max_slice_nums",
                tooLong: true)
            : Bad(conversation, $"the text itself holds tags of images; only {Conversation.ImagePlaceholder} may stand for one");
    }
}
