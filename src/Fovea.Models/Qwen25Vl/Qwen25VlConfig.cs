using Fovea.Models.Grids;

namespace Fovea.Models.Qwen25Vl;

/// <summary>A Qwen2.5-VL checkpoint's config.json; the flat form of the hub and the nested one of newer releases (text_config) both read.</summary>
internal sealed record Qwen25VlConfig : Qwen2Text
{
    public const string ModelType = "qwen2_5_vl";

    private Qwen25VlConfig(ConfigReader root)
        : base(root)
    {
        Vision = Qwen25VlVisionConfig.Read(VisionOf(root));
        if (Vision.OutHiddenSize != HiddenSize)
        {
            throw (root.Section("text_config") ?? root).Wrong("hidden_size", $"the vision tower's out_hidden_size {Vision.OutHiddenSize}");
        }
    }

    public Qwen25VlVisionConfig Vision { get; init; }

    /// <param name="root">Of the config.json file.</param>
    public static Qwen25VlConfig Read(ConfigReader root)
    {
        CheckType(root, ModelType);
        Qwen25VlFields.Check(root);
        return new Qwen25VlConfig(root);
    }
}
