using System.Text;
using Fovea.Data.Tokenizers;

namespace Fovea.Serving;

/// <summary>Texts and bytes of single tokens. For any number of threads.</summary>
internal sealed class TokenTexts(Tokenizer tokenizer)
{
    // Null where what a token adds to a text depends on the others.
    private readonly Lazy<TokenBytes?> bytes = new(() =>
    {
        try
        {
            return TokenBytes.Of(tokenizer);
        }
        catch (ConfigException)
        {
            return null;
        }
    });

    /// <param name="id">The token.</param>
    /// <param name="logprob">With the most likely ones of its place; null for the token alone.</param>
    public ServedToken Of(int id, TokenLogprob? logprob)
    {
        if (logprob is null)
        {
            return new ServedToken(id, tokenizer.Decode([id]), null);
        }

        return One(logprob) with { Top = [.. logprob.Top.Select(One)] };
    }

    // A special token adds nothing to a text and is known by how it is written.
    private ServedToken One(TokenLogprob of)
    {
        var own = tokenizer.IsSpecial(of.Id) || bytes.Value is null ? Encoding.UTF8.GetBytes(tokenizer.Decode([of.Id])) : bytes.Value[of.Id].ToArray();
        return new ServedToken(of.Id, Encoding.UTF8.GetString(own), of.Logprob) { Bytes = own };
    }
}
