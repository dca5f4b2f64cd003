using Fovea.Data.Tokenizers;

namespace Fovea.Models.Vocabularies;

/// <summary>Tokens that adapters brought: those of the tokenizers saved with them which the base's lacks.</summary>
internal static class AdapterTokens
{
    private const string FileName = "tokenizer.json";

    /// <summary>A base with the tokens of the adapters that are put on it, and more.</summary>
    /// <param name="more">Tokens behind theirs.</param>
    /// <exception cref="ConfigException">A token has another id in an adapter than it would have here.</exception>
    public static ModelSource Over(
        ModelSource source, IReadOnlyList<string> adapters, IReadOnlyList<NewToken>? more = null, TokenStart start = TokenStart.NoiseInit, bool resize = false)
    {
        var brought = adapters.SelectMany(adapter => Brought(source, adapter).Select(token => (Adapter: adapter, Token: token))).ToList();
        var tokens = brought.Select(one => new NewToken(one.Token.Content, one.Token.Special)).Concat(more ?? [])
            .GroupBy(token => token.Content, StringComparer.Ordinal)
            .Select(same => same.FirstOrDefault(token => token.Description is not null) ?? same.First());
        var known = brought.Select(one => one.Token.Content).Distinct(StringComparer.Ordinal).Count();
        var vocabulary = Vocabulary.Of(source, [.. tokens], start, resize, known);
        foreach (var (adapter, token) in brought)
        {
            if (vocabulary?.Tokenizer.IdOf(token.Content) is { } id && id != token.Id)
            {
                throw new ConfigException($"{adapter}: its tokenizer has {token.Content} as id {token.Id}, over {source.Folder} it has id {id}: "
                    + "give the base that it was trained on, and adapters in the order in which they were trained");
            }
        }

        return source.With(vocabulary);
    }

    private static IEnumerable<AddedToken> Brought(ModelSource source, string adapter)
    {
        var (own, theirs) = (Path.Combine(source.Folder, FileName), Path.Combine(adapter, FileName));
        if (!File.Exists(own) || !File.Exists(theirs) || File.ReadAllBytes(own).AsSpan().SequenceEqual(File.ReadAllBytes(theirs)))
        {
            return [];
        }

        var known = Tokenizer.Load(source.Folder);
        return AddedTokenFiles.Read(adapter).Where(token => known.IdOf(token.Content) is null).OrderBy(token => token.Id);
    }
}
