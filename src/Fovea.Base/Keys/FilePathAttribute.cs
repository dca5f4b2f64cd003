namespace Fovea.Keys;

/// <summary>The key names files or folders (or takes a word instead): <c>~</c> stands for the home folder in it.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class FilePathAttribute : Attribute;
