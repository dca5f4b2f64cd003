using System.Text.RegularExpressions;
using Fovea.Data.Datasets;
using Fovea.Data.Tokenizers;

namespace Fovea.Data.Templates;

/// <summary>What the tokens of answers weigh in the loss: by their message (<see cref="Message.Weight"/>), or by the configuration's maps.</summary>
/// <param name="scale">Null where stretches of answers weigh the same.</param>
internal sealed class AnswerWeights(Tokenizer tokenizer, LossScaleRule? scale)
{
    /// <summary>
    /// Appends an answer. Stretches of different weight are tokenised each by itself, as in ms-swift, so that no token spans two; otherwise nothing changes.
    /// </summary>
    /// <param name="message">The answer; null where it is not known which it is.</param>
    /// <param name="written">As it is written, in the pieces in which it is tokenised otherwise.</param>
    /// <param name="end">Characters at its end that are not its text: they weigh 1, or nothing where the message weighs nothing.</param>
    /// <returns>The weight of each id; none where all are 1.</returns>
    public float[] Append(List<int> ids, Conversation conversation, Message? message, IReadOnlyList<string> written, int end)
    {
        var pieces = Pieces(conversation, message, string.Concat(written), end);
        if (pieces.Count < 2)
        {
            foreach (var text in written)
            {
                tokenizer.Encode(text, ids);
            }

            var weight = pieces.Count == 0 ? 1 : pieces[0].Weight;
            return weight == 1 ? [] : [.. Enumerable.Repeat(weight, ids.Count)];
        }

        var weights = new List<float>();
        foreach (var (text, weight) in pieces)
        {
            tokenizer.Encode(text, ids);
            weights.AddRange(Enumerable.Repeat(weight, ids.Count - weights.Count));
        }

        return [.. weights];
    }

    /// <summary>The weights of ids with each image token as often as its image needs, and with what was appended behind them, which weighs 1.</summary>
    /// <param name="spans">The runs of image tokens.</param>
    public static float[] Expand(float[] weights, List<int> ids, int imageId, (int Start, int Length)[] spans)
    {
        if (weights.Length == 0)
        {
            return weights;
        }

        var expanded = new List<float>();
        for (var (i, image) = (0, 0); i < ids.Count; i++)
        {
            expanded.AddRange(Enumerable.Repeat(i < weights.Length ? weights[i] : 1, ids[i] == imageId ? spans[image++].Length : 1));
        }

        return [.. expanded];
    }

    /// <summary>Takes what weighs nothing out of the labels and notes the weights of the rest.</summary>
    /// <param name="kept">Ids of the answer that are left.</param>
    public static void Apply(float[] weights, int kept, Span<int> labels, Span<float> all)
    {
        for (var i = 0; i < Math.Min(kept, weights.Length); i++)
        {
            labels[i] = weights[i] == 0 ? EncodedSample.Ignored : labels[i];
            all[i] = weights[i] == 0 ? 1 : weights[i];
        }
    }

    /// <summary>The answer that a rendered turn is; null where a template marks other stretches than whole answers.</summary>
    /// <exception cref="BadSampleException">A message says something of itself, and which turn it is cannot be told.</exception>
    public static Message? AnswerOf(int turn, int turns, Conversation conversation, Exchanges exchanges)
    {
        if (turns == exchanges.Turns.Count)
        {
            return exchanges.Turns[turn].Assistant;
        }

        // The last answer alone is trained, and stands behind everything else.
        var isLast = turns == 1;
        return exchanges.Turns.Any(t => isLast ? t.Assistant.Trained == true && t != exchanges.Turns[^1] : SaysItself(t.Assistant))
            ? throw BadSampleException.Of(
                conversation, "says loss or loss_scale of single messages, and it is unknown where the template writes these; leave them out of the row")
            : isLast ? exchanges.Turns[^1].Assistant
            : null;
    }

    /// <summary>For encoders that tokenise a conversation as one text.</summary>
    /// <exception cref="BadSampleException">A message says something of itself.</exception>
    public static void Refuse(Conversation conversation)
    {
        if (conversation.Messages.Any(SaysItself))
        {
            throw BadSampleException.Of(
                conversation, "says loss or loss_scale of single messages, which this model family's data code does not know; set template: chat_template");
        }
    }

    private static bool SaysItself(Message message) => message.Trained is not null || message.Weight is not null;

    private IReadOnlyList<(string Text, float Weight)> Pieces(Conversation conversation, Message? message, string written, int end)
    {
        var (text, tail) = (written[..^end], written[^end..]);
        if (message?.Weight is { } own)
        {
            return LossScaleRule.Joined([(text, (float)own), (tail, own > 0 ? 1 : 0)]);
        }

        try
        {
            return scale is null ? [] : LossScaleRule.Joined([.. scale.Split(text), (tail, 1)]);
        }
        catch (RegexMatchTimeoutException e)
        {
            throw BadSampleException.Of(conversation, $"loss_scale: the expression {Brief.Of(e.Pattern)} does not come to an end on an answer", e);
        }
    }
}
