namespace Fovea.Data.Templates.Jinja;

/// <summary>A chat template is wrong, asks for what is not supported, or refuses a conversation: says the line.</summary>
internal sealed class TemplateException(string problem, int line, Exception? inner = null) : FoveaException($"line {line}: {problem}", inner)
{
    /// <summary>The template itself says that it does not take the conversation (<c>raise_exception</c>).</summary>
    public bool Raised { get; init; }
}
