using System.Text.Json.Nodes;
using Fovea.Data.Tokenizers;

namespace Fovea.Models.Vocabularies;

/// <summary>A model's vocabulary with tokens that its folder does not have: what they are called, their rows, and how these begin.</summary>
internal sealed class Vocabulary
{
    // LLaMA-Factory pads to it.
    private const int Multiple = 64;

    private const string Key = "vocab_size";

    private Vocabulary(Tokenizer tokenizer, IReadOnlyList<AddedToken> added, IReadOnlyList<NewToken> fresh, int oldRows, int rows, TokenStart start)
    {
        (Tokenizer, Added, OldRows, Rows, Start) = (tokenizer, added, oldRows, rows, start);
        var ids = fresh.Select(token => tokenizer.IdOf(token.Content)!.Value);
        NewIds = [.. ids.Concat(Enumerable.Range(oldRows, Math.Max(0, tokenizer.LargestId + 1 - oldRows))).Distinct().Order()];
        Descriptions = fresh.Where(token => token.Description is not null)
            .ToDictionary(token => tokenizer.IdOf(token.Content)!.Value, token => tokenizer.Encode(token.Description!));
    }

    /// <summary>With the new tokens.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>What the folder's files lack.</summary>
    public IReadOnlyList<AddedToken> Added { get; }

    /// <summary>Ids whose rows nobody has trained, ascending.</summary>
    public IReadOnlyList<int> NewIds { get; }

    /// <summary>Of them, those of tokens that adapters brought.</summary>
    public IReadOnlyList<int> BroughtIds { get; private init; } = [];

    /// <summary>Rows of embeddings and head in the folder's files.</summary>
    public int OldRows { get; }

    /// <summary>Rows that they are given: as many, or a multiple of 64.</summary>
    public int Rows { get; }

    public TokenStart Start { get; }

    /// <summary>What describes a new token, as ids, by its own.</summary>
    public IReadOnlyDictionary<int, int[]> Descriptions { get; }

    /// <param name="source">The folder as it is.</param>
    /// <param name="tokens">Those that it has already are passed over.</param>
    /// <param name="resize">Also where no token is new: rows for those that the tokenizer has beyond the model's.</param>
    /// <param name="brought">How many of the tokens, from the first on, adapters brought.</param>
    /// <returns>Null where the folder's vocabulary is all that is wanted.</returns>
    /// <exception cref="ConfigException">The family has files of its own, whose vocabulary is theirs.</exception>
    public static Vocabulary? Of(ModelSource source, IReadOnlyList<NewToken> tokens, TokenStart start, bool resize, int brought = 0)
    {
        if (tokens.Count == 0 && !resize)
        {
            return null;
        }

        if (source.Family.Files is not null)
        {
            throw new ConfigException(
                $"add_tokens, add_special_tokens and resize_vocab are not for {source.Family.Title}, whose files have a vocabulary of their own");
        }

        var known = Tokenizer.Load(source.Folder);
        var tokenizer = known.With(tokens);
        AddedToken[] added = [.. tokens.Where(token => known.Added(token.Content) is null).Select(token => tokenizer.Added(token.Content)!).Distinct()];
        var old = (source.Own.Section("text_config") is { } text && text.Has(Key) ? text : source.Own).Int(Key);
        var needed = Math.Max(tokenizer.LargestId + 1, tokenizer.VocabularySize);
        var rows = needed > old ? (needed + Multiple - 1) / Multiple * Multiple : old;
        var fresh = tokens.Where(token => known.IdOf(token.Content) is null).ToList();
        return added.Length == 0 && rows == old ? null : new Vocabulary(tokenizer, added, fresh, old, rows, start)
        {
            BroughtIds = [.. tokens.Take(brought).Select(token => tokenizer.IdOf(token.Content)!.Value)],
        };
    }

    /// <summary>The folder's config.json with as many rows.</summary>
    public JsonObject Enlarged(JsonObject config)
    {
        foreach (var part in new[] { config, config["text_config"] as JsonObject })
        {
            if (part?[Key] is not null)
            {
                part[Key] = Rows;
            }
        }

        return config;
    }
}
