namespace Fovea.Keys;

/// <summary>The text may also be written as a mapping; it is kept as JSON then.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class InlineAttribute : Attribute;
