namespace Fovea.Data.Templates.Jinja;

/// <summary>What a template wrote.</summary>
/// <param name="Text">All of it.</param>
/// <param name="Generated">Where the <c>generation</c> blocks stand in it, in order.</param>
internal sealed record RenderedText(string Text, IReadOnlyList<(int Start, int End)> Generated);
