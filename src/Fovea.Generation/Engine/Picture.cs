using Fovea.Models;

namespace Fovea.Generation.Engine;

/// <summary>An image of a sequence whose tokens are not all in the cache yet.</summary>
/// <param name="Group">Holds its features, or will.</param>
/// <param name="Image">Where its tokens are.</param>
/// <param name="Row">Its first row in the features of the group.</param>
internal sealed record Picture(PictureGroup Group, PromptImage Image, int Row)
{
    public int End => Image.Offset + Image.Tokens;
}
