namespace Fovea.Keys;

/// <summary>The key names files or folders (or takes a word instead): <c>~</c> stands for the home folder in it.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class FilePathAttribute : Attribute;
