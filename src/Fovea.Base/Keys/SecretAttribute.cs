namespace Fovea.Keys;

/// <summary>The key's value is a secret: it is used, and shown nowhere.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SecretAttribute : Attribute;
