using Fovea.Models.Grids;

namespace Fovea.Models.Qwen2Vl;

/// <summary>A Qwen2-VL checkpoint's config.json; the flat form of the hub and the nested one of newer releases (text_config) both read.</summary>
internal sealed record Qwen2VlConfig : Qwen2Text
{
    public const string ModelType = "qwen2_vl";

    private Qwen2VlConfig(ConfigReader root)
        : base(root)
    {
        Vision = Qwen2VlVisionConfig.Read(VisionOf(root));
        if (Vision.OutHiddenSize != HiddenSize)
        {
            throw (root.Section("text_config") ?? root).Wrong("hidden_size", $"the vision tower's hidden_size {Vision.OutHiddenSize}");
        }
    }

    public Qwen2VlVisionConfig Vision { get; init; }

    /// <param name="root">Of the config.json file.</param>
    public static Qwen2VlConfig Read(ConfigReader root)
    {
        CheckType(root, ModelType);
        Qwen2VlFields.Check(root);
        return new Qwen2VlConfig(root);
    }
}
