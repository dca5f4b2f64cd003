namespace Fovea.AspNetCore.Http;

/// <summary>A piece of a message: text, or where an image is.</summary>
/// <param name="Text">Null for an image.</param>
/// <param name="Url">Null for text.</param>
/// <param name="Low">Whether an image may be seen with less detail.</param>
/// <param name="Place">Where it stands in the request.</param>
internal sealed record ChatPart(string? Text, string? Url, bool Low, string Place);
