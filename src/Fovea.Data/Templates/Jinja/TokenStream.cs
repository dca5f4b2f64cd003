namespace Fovea.Data.Templates.Jinja;

/// <summary>Tokens that are read one after the other.</summary>
internal sealed class TokenStream(List<Token> tokens)
{
    private int at;

    /// <summary>The next token.</summary>
    public Token Current => tokens[at];

    /// <summary>The one behind it.</summary>
    public Token Following => tokens[Math.Min(at + 1, tokens.Count - 1)];

    public int Line => Current.Line;

    /// <summary>Takes the next token.</summary>
    public Token Next()
    {
        var token = tokens[at];
        at = Math.Min(at + 1, tokens.Count - 1);
        return token;
    }

    /// <summary>Takes the next token if it is this sign.</summary>
    public bool Skip(string sign) => Current.Is(sign) && Next().Kind == TokenKind.Operator;

    /// <summary>Takes the next token if it is this name.</summary>
    public bool SkipName(string name) => Current.IsName(name) && Next().Kind == TokenKind.Name;

    /// <summary>Takes a token that must be this sign.</summary>
    public void Expect(string sign)
    {
        if (!Skip(sign))
        {
            throw Unexpected($"'{sign}'");
        }
    }

    /// <summary>Takes a token that must be of this kind.</summary>
    public Token Expect(TokenKind kind, string what) => Current.Kind == kind ? Next() : throw Unexpected(what);

    /// <summary>Says what stands where something else is needed.</summary>
    public TemplateException Unexpected(string needed) => new($"{needed} must stand where {Current.Shown} is", Line);
}
