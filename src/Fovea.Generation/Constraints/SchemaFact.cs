namespace Fovea.Generation.Constraints;

/// <summary>One keyword that a value must satisfy.</summary>
/// <param name="Keyword">Its name; <c>false</c> for the schema that nothing satisfies.</param>
/// <param name="Value">What it says, and where.</param>
/// <param name="Scope">The schema that it belongs to: keywords may mean those beside them.</param>
internal sealed record SchemaFact(string Keyword, SchemaPlace Value, SchemaPlace Scope);
