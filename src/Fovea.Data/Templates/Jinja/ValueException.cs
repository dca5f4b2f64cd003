namespace Fovea.Data.Templates.Jinja;

/// <summary>An operation does not take a value; the line is added where it is known.</summary>
internal sealed class ValueException(string problem) : Exception(problem)
{
    /// <summary>See <see cref="TemplateException.Raised"/>.</summary>
    public bool Raised { get; init; }
}
