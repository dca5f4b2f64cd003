namespace Fovea;

/// <summary>
/// The result of a <see cref="ToolCall"/>, in a message of <see cref="Role.Tool"/>. Only a model's own chat template writes it
/// (<c>template: chat_template</c>); others reject a conversation that contains one.
/// </summary>
/// <param name="Content">The result as text, of any length.</param>
/// <param name="CallId">The call's <see cref="ToolCall.Id"/>; null if it was the only call.</param>
public sealed record ToolResult(string Content, string? CallId = null) : Part;
