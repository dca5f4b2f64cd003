namespace Fovea;

/// <summary>The configuration key that a setting corresponds to. Its default, range and meaning are the key's.</summary>
/// <param name="name">As in a YAML file.</param>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class KeyAttribute(string name) : Attribute
{
    public string Name { get; } = name;
}
