using Fovea.Models;

namespace Fovea.Generation;

/// <summary>What a model is to go on from: token ids with every image expanded, and the images in order.</summary>
internal sealed record Prompt(int[] Ids, IReadOnlyList<PromptImage> Images)
{
    /// <summary>How many leading tokens two prompts have in common, images included; never ends inside an image.</summary>
    internal static int Common(IReadOnlyList<int> ids, IReadOnlyList<PromptImage> images, Prompt other)
    {
        var most = Math.Min(ids.Count, other.Ids.Length);
        var common = 0;
        while (common < most && ids[common] == other.Ids[common])
        {
            common++;
        }

        for (var i = 0; i < other.Images.Count && other.Images[i].Offset < common; i++)
        {
            var (mine, its) = (i < images.Count ? images[i] : null, other.Images[i]);
            var same = mine is not null && mine.Offset == its.Offset && mine.Tokens == its.Tokens && ReferenceEquals(mine.Image.Patches, its.Image.Patches);
            if (!same || its.Offset + its.Tokens > common)
            {
                return its.Offset;
            }
        }

        return common;
    }
}
