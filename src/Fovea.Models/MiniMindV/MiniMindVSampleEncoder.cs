using System.Runtime.InteropServices;
using System.Text;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Tensors;

namespace Fovea.Models.MiniMindV;

/// <summary>
/// Conversations as MiniMind-V's own data sets encode them: written as one text, tokenised whole, cut off at the end, answers found by the ids of what
/// stands around them. Usable from several threads at once.
/// </summary>
internal sealed class MiniMindVSampleEncoder : ISampleEncoder
{
    private const int PadId = 0;
    private const ulong Purpose = 0xA076_1D64_78BD_642FUL; // apart from other uses of the seed
    private const string ThinkOpen = "<think>";
    private const string ThinkClose = "</think>";

    private readonly ChatTemplate template;
    private readonly Tokenizer tokenizer;
    private readonly IMediaProcessor images;
    private readonly DataOptions options;
    private readonly MiniMindVConfig config;
    private readonly MiniMindVOptions own;
    private readonly string imageText;
    private readonly int[] open;
    private readonly int[] close;
    private readonly IReadOnlyList<string> prompts;

    public MiniMindVSampleEncoder(
        ChatTemplate template, Tokenizer tokenizer, IMediaProcessor images, DataOptions options, MiniMindVConfig config, MiniMindVOptions own)
    {
        LossScaleRule.Refuse(options);
        if (options.TrainOnPrompt || options.MaskHistory)
        {
            throw new ConfigException("train_on_prompt and mask_history are not supported for this model family; every answer is trained");
        }

        (this.template, this.tokenizer, this.images, this.options, this.config, this.own) = (template, tokenizer, images, options, config, own);
        prompts = IsA || own.AddSystemRatio == 0 ? [] : SystemPrompts.Read(own.SystemPrompts);
        imageText = string.Concat(Enumerable.Repeat(template.ImageToken, config.ImageTokens));
        open = tokenizer.Encode(IsA ? "<s>assistant\n" : "<|im_start|>assistant\n");
        close = tokenizer.Encode(IsA ? "</s>\n" : "<|im_end|>\n");
    }

    private bool IsA => config.Generation == MiniMindVGeneration.A;

    public EncodedSample Encode(Conversation conversation) => Encode(conversation, null, own.EmptyThinkRatio >= 0.5);

    /// <summary>
    /// Generation C's data code gives some rows a system message and takes the empty reasoning out of most; a row is drawn for, not an answer.
    /// </summary>
    public EncodedSample Encode(Conversation conversation, int epoch, int index)
    {
        if (IsA)
        {
            return Encode(conversation);
        }

        var key = SplitMix.Mix(SplitMix.Mix((ulong)options.Seed ^ Purpose, (ulong)epoch), (ulong)index);
        var hasSystem = !string.IsNullOrEmpty(Exchanges.Of(conversation).System) || options.DefaultSystem is not null;
        var system = !hasSystem && Share(key, 0) < own.AddSystemRatio ? prompts[(int)(Share(key, 1) * prompts.Count)] : null;
        return Encode(conversation, system, Share(key, 2) < own.EmptyThinkRatio);
    }

    /// <param name="added">A system message for a row without one; null for none.</param>
    /// <param name="keepsEmpty">Answers without reasoning keep the template's empty block.</param>
    private EncodedSample Encode(Conversation conversation, string? added, bool keepsEmpty)
    {
        AnswerWeights.Refuse(conversation);
        var exchanges = Exchanges.Of(conversation);
        var planned = conversation.Images.Select(source => (source, images.PlanFor(conversation, source))).ToArray();
        var ids = new List<int>();
        tokenizer.Encode(Text(exchanges, added, keepsEmpty), ids);
        var full = ids.Count;
        if (full > options.CutoffLen)
        {
            ids.RemoveRange(options.CutoffLen, full - options.CutoffLen);
        }

        var found = Images(conversation, planned, ids, full > options.CutoffLen);
        var labels = Labels(ids);
        Pad(ids, labels);
        var sample = EncodedSample.Of(conversation, [.. ids], [.. labels], found, truncated: full > options.CutoffLen);
        return sample.TrainedTokens > 0 ? sample : throw BadSampleException.Of(
            conversation, $"too long: cutoff_len {options.CutoffLen} leaves no answer of {full} tokens", tooLong: true);
    }

    /// <summary>A number from 0 up to, not including, 1.</summary>
    private static double Share(ulong key, ulong draw) => (SplitMix.Mix(key, draw) >> 11) / (double)(1UL << 53);

    private string Text(Exchanges exchanges, string? added, bool keepsEmpty)
    {
        var text = new StringBuilder(template.Prefix);
        var system = string.IsNullOrEmpty(exchanges.System) ? added ?? options.DefaultSystem ?? template.DefaultSystem : exchanges.System;
        if (system.Length > 0)
        {
            text.Append(Filled(template.System, system));
        }

        foreach (var turn in exchanges.Turns)
        {
            text.Append(Filled(template.User, WithImages(turn.User))).Append(Filled(template.Assistant, Answer(WithImages(turn.Assistant), keepsEmpty)));
        }

        return text.ToString();
    }

    private static string Filled(string slot, string content) => slot.Replace(ChatTemplate.Content, content, StringComparison.Ordinal);

    private string WithImages(Message message) => Placeholders.Join(message.Parts, () => imageText);

    /// <summary>Generation C's template writes reasoning as a block before the answer, an empty one where there is none.</summary>
    private string Answer(string content, bool keepsEmpty)
    {
        if (IsA)
        {
            return content;
        }

        var reasoning = string.Empty;
        if (content.Contains(ThinkClose, StringComparison.Ordinal))
        {
            var parts = content.Split(ThinkClose);
            reasoning = parts[0].TrimEnd('\n').Split(ThinkOpen)[^1].Trim('\n');
            content = parts[^1];
        }

        content = content.TrimStart('\n');
        return reasoning.Length == 0 && !keepsEmpty ? content : $"{ThinkOpen}\n{reasoning}\n{ThinkClose}\n\n{content}";
    }

    /// <summary>
    /// Where the images stand: runs of the image token. Generation A takes a run that was cut off for text; C fills what is left of it.
    /// </summary>
    private List<ImageRef> Images(Conversation conversation, (MediaSource Source, MediaPlan Plan)[] planned, List<int> ids, bool isCut)
    {
        var found = new List<ImageRef>();
        var places = 0;
        for (var i = 0; i < ids.Count;)
        {
            var length = 0;
            while (i + length < ids.Count && length < config.ImageTokens && ids[i + length] == config.ImageTokenId)
            {
                length++;
            }

            var isLast = isCut && i + length == ids.Count;
            if (length == config.ImageTokens || (length > 0 && !IsA))
            {
                if (places == planned.Length || (length < config.ImageTokens && !isLast))
                {
                    throw BadSampleException.Of(
                        conversation, $"the text itself holds {template.ImageToken}; only {Placeholders.Image} may stand for an image");
                }

                var (source, plan) = planned[places++];
                found.Add(new ImageRef(source, plan.Parts[0], i, length) { Plan = plan });
            }

            i += Math.Max(length, 1);
        }

        return places == planned.Length || isCut
            ? found
            : throw BadSampleException.Of(conversation, $"{planned.Length} images, but {places} places for them in the tokens");
    }

    private List<int> Labels(List<int> ids)
    {
        var labels = new List<int>(ids.Count);
        CollectionsMarshal.SetCount(labels, ids.Count);
        CollectionsMarshal.AsSpan(labels).Fill(EncodedSample.Ignored);
        var shift = IsA && own.LabelMask == LabelMask.Original ? 1 : 0;
        for (var i = 0; i < ids.Count; i++)
        {
            if (!StandsAt(ids, i, open))
            {
                continue;
            }

            var start = i + open.Length;
            var end = start;
            while (end < ids.Count && !StandsAt(ids, end, close))
            {
                end++;
            }

            var stop = Math.Min(end + close.Length + shift, options.CutoffLen);
            while (ids.Count < stop && end < ids.Count)
            {
                ids.Add(PadId); // trained on, being one past the end
                labels.Add(EncodedSample.Ignored);
            }

            for (var j = start + shift; j < Math.Min(stop, ids.Count); j++)
            {
                labels[j] = ids[j];
            }

            i = end + close.Length - 1;
        }

        return labels;
    }

    /// <summary>In generation A the last of <c>max_length</c> tokens is only a target.</summary>
    private void Pad(List<int> ids, List<int> labels)
    {
        if (own.MoeAux == MoeAuxiliary.Original && config.UseMoe)
        {
            while (ids.Count < options.CutoffLen - (IsA ? 1 : 0))
            {
                ids.Add(PadId);
                labels.Add(EncodedSample.Ignored);
            }
        }
    }

    private static bool StandsAt(List<int> ids, int at, int[] what) =>
        at + what.Length <= ids.Count && CollectionsMarshal.AsSpan(ids).Slice(at, what.Length).SequenceEqual(what);
}
