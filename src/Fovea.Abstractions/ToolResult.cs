namespace Fovea;

/// <summary>What a tool answered to a <see cref="ToolCall"/>. No template writes one yet: training and chat refuse a conversation that holds one.</summary>
/// <param name="Content">The answer as text, of any length.</param>
/// <param name="CallId">The call's <see cref="ToolCall.Id"/>; null where there was one call alone.</param>
public sealed record ToolResult(string Content, string? CallId = null) : Part;
