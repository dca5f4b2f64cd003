using System.Text;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Models.Slices;

namespace Fovea.Models.MiniCpmV;

/// <summary>
/// Samples as OpenBMB's <c>finetune/dataset.py</c> makes them: the whole conversation is one text, what is trained is found in its ids, and labels say
/// what comes next (the end of an answer is trained once more behind itself). What its truncation would cut in an image is refused.
/// </summary>
internal sealed class MiniCpmVEncoder : ISampleEncoder
{
    private const string Placeholder = "<unk>";
    private readonly Tokenizer tokenizer;
    private readonly MiniCpmVConfig config;
    private readonly SlicedMedia images;
    private readonly MiniCpmVDialogue dialogue;
    private readonly DataOptions options;
    private readonly string? defaultSystem;
    private readonly int end;
    private readonly int[] starts;
    private readonly int[] ends;

    /// <param name="dialogue">The trainer's <c>llm_type</c>.</param>
    /// <param name="defaultSystem">The system prompt that the model's own template writes where there is none; null for none.</param>
    public MiniCpmVEncoder(
        Tokenizer tokenizer, MiniCpmVConfig config, SlicedMedia images, MiniCpmVDialogue dialogue, DataOptions options, string? defaultSystem)
    {
        LossScaleRule.Refuse(options);
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
        AnswerWeights.Refuse(conversation);
        var exchanges = Exchanges.Of(conversation);
        var planned = conversation.Images.Select(source => (Source: source, Plan: images.PlanFor(conversation, source))).ToArray();
        var messages = Messages(exchanges, [.. planned.Select(p => p.Plan)]);
        var (ids, trained) = dialogue == MiniCpmVDialogue.MiniCpm ? Tagged(exchanges.System, messages) : Whole(exchanges.System, messages);
        var truncated = ids.Count > options.CutoffLen;
        if (truncated)
        {
            ids.RemoveRange(options.CutoffLen, ids.Count - options.CutoffLen);
        }

        var parts = new List<(MediaSource Source, MediaPlan Plan, int Part)>();
        foreach (var i in listed ?? [.. Enumerable.Range(0, planned.Length)])
        {
            var (source, plan) = planned[i];
            parts.AddRange(plan.Parts.Select((_, part) => (source, plan, part)));
        }

        var bounds = Bounds(conversation, ids, parts.Count, truncated);
        var placed = parts.Select((p, i) => new ImageRef(p.Source, p.Plan.Parts[p.Part], bounds[i], config.Queries) { Part = p.Part, Plan = p.Plan });
        return EncodedSample.Of(conversation, [.. ids], Labels(ids, trained), [.. placed], truncated);
    }

    private int Id(string token) =>
        tokenizer.IdOf(token) ?? throw new ConfigException(
            $"the model's tokenizer has no token {token}, which llm_type {dialogue.ToString().ToLowerInvariant()} needs; without it the model's own is taken");

    /// <summary>The messages in order, images written out. Those that are cut are numbered; others are not, in training.</summary>
    private List<(bool User, string Text)> Messages(Exchanges exchanges, MediaPlan[] plans)
    {
        var run = string.Concat(Enumerable.Repeat(Placeholder, config.Queries));
        var (image, number) = (0, 0);
        var messages = new List<(bool, string)>();
        foreach (var turn in exchanges.Turns)
        {
            messages.Add((true, Placeholders.Join(turn.User.Parts, Write)));
            messages.Add((false, Placeholders.Join(turn.Assistant.Parts, Write)));
        }

        return messages;

        string Write()
        {
            var plan = plans[image++];
            var numbered = config.NewSchema && plan.Columns > 0;
            return plan.Write(numbered ? number++ : null, run);
        }
    }

    /// <summary>ChatML and Llama 3: one text; an answer begins behind its head and ends with what ends it.</summary>
    private (List<int> Ids, bool[] Trained) Whole(string? system, List<(bool User, string Text)> messages)
    {
        var llama = dialogue == MiniCpmVDialogue.Llama3;
        var text = new StringBuilder(llama ? "<|begin_of_text|>" : string.Empty);
        system = string.IsNullOrEmpty(system) ? defaultSystem : system;
        if (!string.IsNullOrEmpty(system))
        {
            Say("system", system);
        }

        var thinks = config.Thinks && !llama;
        var asked = thinks ? QwenThoughts.LastQuestion(messages) : 0;
        for (var i = 0; i < messages.Count; i++)
        {
            var (user, message) = messages[i];
            Say(user ? "user" : "assistant", user || !thinks ? message : QwenThoughts.Write(message, i > asked, i == messages.Count - 1));
        }

        // A thought of nothing is not trained where it begins the last answer: four tokens.
        var unthought = thinks && text.ToString().Contains(QwenThoughts.Marks.Empty, StringComparison.Ordinal) ? 4 : 0;
        var ids = new List<int>(tokenizer.Encode(text.ToString()));
        var trained = new bool[ids.Count];
        var (head, answers, skip) = (Id(llama ? "<|start_header_id|>" : "<|im_start|>"), Id("assistant"), llama ? 3 : 2);
        for (var i = 1; i < ids.Count; i++)
        {
            if (ids[i] == answers && ids[i - 1] == head)
            {
                var (first, last) = (i + skip + (i == ids.LastIndexOf(answers) ? unthought : 0), ids.IndexOf(end, i));
                Array.Fill(trained, true, Math.Min(first, last), Math.Max(last + 1 - first, 1));
            }
        }

        return (ids, trained);

        void Say(string role, string content) => text.Append(llama
            ? $"<|start_header_id|>{role}<|end_header_id|>\n\n{content.Trim()}<|eot_id|>"
            : $"<|im_start|>{role}\n{content}<|im_end|>\n");
    }

    /// <summary>MiniCPM: a tag before each message, each tokenised by itself; the text ends with the end of sequence.</summary>
    private (List<int> Ids, bool[] Trained) Tagged(string? system, List<(bool User, string Text)> messages)
    {
        var ids = new List<int>();
        var trained = new List<bool>();
        if (!string.IsNullOrEmpty(system))
        {
            messages[0] = (true, $"{system}\n{messages[0].Text}");
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
            ? BadSampleException.Of(
                conversation,
                $"too long: cutoff_len {options.CutoffLen} (model_max_length) would cut an image; raise it or lower max_slice_nums",
                tooLong: true)
            : BadSampleException.Of(conversation, $"the text itself holds tags of images; only {Placeholders.Image} may stand for one");
    }
}
