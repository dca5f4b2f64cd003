namespace Fovea.Keys;

/// <summary>A null that is written is the key's value; elsewhere it leaves the default in place.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class NullIsValueAttribute : Attribute;
