namespace Fovea;

/// <summary>The key of a configuration file that a setting stands for. Its default, range and meaning are the key's.</summary>
/// <param name="name">As in a YAML file.</param>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class KeyAttribute(string name) : Attribute
{
    public string Name { get; } = name;
}
