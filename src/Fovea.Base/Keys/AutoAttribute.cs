namespace Fovea.Keys;

/// <summary>The key also takes <c>auto</c>, which is the property's null.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AutoAttribute : Attribute;
