namespace Fovea.Keys;

/// <summary>The list may be one regular expression instead: text with any of <c>\^$*+?()[]{}|</c> is not split at its commas.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class PatternAttribute : Attribute;
