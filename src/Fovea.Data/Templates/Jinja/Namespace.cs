namespace Fovea.Data.Templates.Jinja;

/// <summary>The one kind of value whose attributes templates may set.</summary>
internal sealed class Namespace
{
    public Dictionary<string, object?> Attributes { get; } = new(StringComparer.Ordinal);
}
