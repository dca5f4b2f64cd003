namespace Fovea;

/// <summary>The model's wish that a tool be called. No template writes one yet: training and chat refuse a conversation that holds one.</summary>
/// <param name="Name">The tool's name.</param>
/// <param name="Arguments">A JSON object as text.</param>
/// <param name="Id">Told apart by this from other calls of one message; null where there is one call alone.</param>
public sealed record ToolCall(string Name, string Arguments, string? Id = null) : Part;
