namespace Fovea;

/// <summary>
/// The model's request to call a tool, in an answer and behind its text. Only a model's own chat template writes it (<c>template: chat_template</c>); others
/// reject a conversation that contains one.
/// </summary>
/// <param name="Name">The tool's name.</param>
/// <param name="Arguments">A JSON object as text.</param>
/// <param name="Id">Distinguishes it from other calls in the message; null if it is the only one.</param>
public sealed record ToolCall(string Name, string Arguments, string? Id = null) : Part;
