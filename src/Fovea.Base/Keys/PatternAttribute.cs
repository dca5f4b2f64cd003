namespace Fovea.Keys;

/// <summary>The list may be one regular expression instead: text with any of <c>\^$*+?()[]{}|</c> is not split at its commas.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class PatternAttribute : Attribute;
