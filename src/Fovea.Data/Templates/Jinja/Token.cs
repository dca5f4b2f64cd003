namespace Fovea.Data.Templates.Jinja;

/// <summary>A token of a template and the line, from 1, that it begins in.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, int Line)
{
    /// <summary>Whether it is this sign.</summary>
    public bool Is(string sign) => Kind == TokenKind.Operator && Text == sign;

    /// <summary>Whether it is this name.</summary>
    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    /// <summary>As people read it in a message.</summary>
    public string Shown => Kind switch
    {
        TokenKind.End => "the end of the template",
        TokenKind.BlockEnd => "'%}'",
        TokenKind.OutputEnd => "'}}'",
        _ => $"'{Text}'",
    };
}
