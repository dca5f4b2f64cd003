namespace Fovea.Keys;

/// <summary>Other names of the key that mean the same.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class AliasAttribute(params string[] keys) : Attribute
{
    public IReadOnlyList<string> Keys { get; } = keys;
}
