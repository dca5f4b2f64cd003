using System.Diagnostics.CodeAnalysis;
using Fovea.Models.Hybrids;

namespace Fovea.Models.MiniCpmV46;

/// <summary>A MiniCPM-V-4.6 checkpoint's config.json.</summary>
internal sealed record MiniCpmV46Config : HybridText
{
    public const string ModelType = "minicpmv4_6";

    [SetsRequiredMembers]
    private MiniCpmV46Config(HybridText text, int imageToken, bool keepsWindows, MiniCpmV46VisionConfig vision)
        : base(text) => (ImageTokenId, KeepsWindows, Vision) = (imageToken, keepsWindows, vision);

    public int ImageTokenId { get; }

    /// <summary>Windows of patches are not merged inside the tower (<c>downsample_mode</c> 4x).</summary>
    public bool KeepsWindows { get; }

    public MiniCpmV46VisionConfig Vision { get; }

    /// <param name="root">Of the config.json file.</param>
    public static MiniCpmV46Config Read(ConfigReader root)
    {
        if (root.Text("model_type") != ModelType)
        {
            throw root.Wrong("model_type", $"\"{ModelType}\" for this model family");
        }

        MiniCpmV46Fields.Check(root);
        var text = root.Section("text_config") ?? throw root.Wrong("text_config", "an object");
        var vision = root.Section("vision_config") ?? throw root.Wrong("vision_config", "an object");
        return new MiniCpmV46Config(
            HybridText.Read(root, text), root.Int("image_token_id"), Downsampling.Keeps(root), MiniCpmV46VisionConfig.Read(root, vision));
    }
}
