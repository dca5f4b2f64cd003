namespace Fovea.Training.Config;

/// <summary>An older name of the key that means the same.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AliasAttribute(string key) : Attribute
{
    public string Key { get; } = key;
}
