using Fovea.Data.Images;

namespace Fovea.Models;

/// <summary>An image of a prompt: its patches, and the run of <paramref name="Tokens"/> image tokens from <paramref name="Offset"/> that it fills.</summary>
internal sealed record PromptImage(ProcessedImage Image, int Offset, int Tokens);
