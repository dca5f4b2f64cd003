namespace Fovea.Data.Templates.Jinja;

/// <summary>A list or a tuple. Nothing changes one: the sandbox of chat templates is immutable.</summary>
internal sealed record PyList(IReadOnlyList<object?> Items, bool IsTuple = false);
