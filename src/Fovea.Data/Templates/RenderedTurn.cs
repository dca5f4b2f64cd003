namespace Fovea.Data.Templates;

/// <summary>A turn as a model's own template writes it.</summary>
/// <param name="Source">Up to where the answer begins.</param>
/// <param name="Target">The answer and what ends it.</param>
/// <param name="Closing">What follows and belongs to nobody; empty but for templates that mark what is generated.</param>
internal sealed record RenderedTurn(string Source, string Target, string Closing = "");
