using Fovea.Data.Datasets;
using Fovea.Data.Templates;

namespace Fovea.Data.Tokenizers;

/// <summary>
/// A tokenizer beside the rows of a model's embeddings: a token whose id has no row cannot be computed. Where every id has one, which the largest shows,
/// nothing else is looked at.
/// </summary>
/// <param name="tokenizer">The model's.</param>
/// <param name="rows">Of its embeddings (<c>vocab_size</c>); 0 where they are not known.</param>
internal sealed class TokenRows(Tokenizer tokenizer, int rows)
{
    private const int MostNamed = 10;

    /// <summary>Every token of the tokenizer has a row.</summary>
    public bool Cover { get; } = rows == 0 || tokenizer.LargestId < rows;

    /// <summary>What is wrong with the first id that has no row; null when all have one.</summary>
    public string? Problem(ReadOnlySpan<int> ids)
    {
        foreach (var id in Cover ? [] : ids)
        {
            if (id >= rows)
            {
                return $"the token {tokenizer.TokenOf(id)} has the id {id}, but the model's embeddings end with row {rows - 1} (vocab_size {rows}): "
                    + "enlarge them (in Transformers: model.resize_token_embeddings(len(tokenizer)), then save model and tokenizer), "
                    + "or take the tokenizer that was saved with these weights";
            }
        }

        return null;
    }

    /// <summary>Throws when a template writes such a token into every conversation.</summary>
    /// <exception cref="ConfigException">Names template, token and rows.</exception>
    public void Check(ChatTemplate template)
    {
        string?[] texts =
        [
            template.Prefix, template.System, template.User, template.Assistant, template.DefaultSystem, template.ImageOpen, template.ImageToken,
            template.ImageClose, template.ImageEnd, template.Thought?.Empty, .. template.StopWords,
        ];
        foreach (var text in Cover ? [] : texts)
        {
            if (Problem(tokenizer.Encode((text ?? string.Empty).Replace(ChatTemplate.Content, string.Empty, StringComparison.Ordinal))) is { } problem)
            {
                throw new ConfigException($"template {template.Name}: {problem}");
            }
        }
    }

    /// <summary>
    /// Throws when a text of a dataset holds such a token, before anything is trained. Reads the texts only where a token without a row exists.
    /// </summary>
    /// <exception cref="ConfigException">Names datasets, rows and tokens.</exception>
    public void Check(params IEnumerable<ConversationSet?> sets)
    {
        var bad = new List<string>();
        foreach (var set in Cover ? [] : sets)
        {
            for (var i = 0; i < (set?.Count ?? 0) && bad.Count < MostNamed; i++)
            {
                var conversation = set![i];
                if (ProblemOf(conversation) is { } problem)
                {
                    bad.Add(BadSampleException.Of(conversation, problem).Sample.ToString());
                }
            }
        }

        if (bad.Count > 0)
        {
            throw new ConfigException(bad);
        }
    }

    /// <summary>An encoder that refuses samples with such a token, and those whose text the tokenizer's expression does not come to an end on.</summary>
    public ISampleEncoder Guard(ISampleEncoder encoder) => Cover && !tokenizer.SplitsByRegex ? encoder : new Guarded(encoder, this);

    private string? ProblemOf(Conversation conversation)
    {
        var ids = new List<int>();
        foreach (var message in conversation.Messages)
        {
            tokenizer.Encode(Placeholders.Join(message), ids);
        }

        return Problem(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(ids));
    }

    private sealed class Guarded(ISampleEncoder encoder, TokenRows rows) : ISampleEncoder
    {
        public EncodedSample Encode(Conversation conversation) => Checked(conversation, () => encoder.Encode(conversation));

        public EncodedSample Encode(Conversation conversation, int epoch, int index) =>
            Checked(conversation, () => encoder.Encode(conversation, epoch, index));

        private EncodedSample Checked(Conversation conversation, Func<EncodedSample> encode)
        {
            try
            {
                var sample = encode();
                return rows.Problem(sample.Ids) is { } problem
                    ? throw new BadSampleException(new BadSample(sample.Dataset, sample.Row, problem))
                    : sample;
            }
            catch (PatternTimeoutException e)
            {
                throw BadSampleException.Of(conversation, e.Message, e);
            }
        }
    }
}
