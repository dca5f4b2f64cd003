using Fovea.Models;
using Fovea.Tests.Parity.MiniMindV;

namespace Fovea.Tests.Unit.Training;

/// <summary>A small model of every family and generation, by name.</summary>
internal static class EveryModel
{
    private static readonly string[] Folders = ["qwen2_5_vl_tiny", "minicpm_v2", "minicpm_v25", "minicpm_v26"];
    private static readonly string[] Newer = ["qwen3_vl", "qwen2_vl", "qwen3_vl_moe", "minicpm_v45", "qwen3_5", "qwen3_5_moe", "minicpmv4_6"];
    private static readonly string[] MiniMinds = ["a dense", "a moe", "c dense", "c moe"];

    public static IEnumerable<string> Names => [.. Folders, .. MiniMinds.Select(kind => $"minimind {kind}"), .. Newer];

    /// <summary>Of no family: what none has yet.</summary>
    public static string Layered => "layered";

    public static VisionLanguageModel Build(string name, ModelOptions options)
    {
        if (name == Layered)
        {
            return LayeredModel.Build(options);
        }

        if (Folders.Contains(name) || Newer.Contains(name))
        {
            return ModelSource.Open(TestFiles.Golden($"{name}/model")).Load(options);
        }

        var words = name.Split(' ');
        using var folder = new MiniMindFolder(words[1], words[2]);
        return folder.Load(options);
    }
}
