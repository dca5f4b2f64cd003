using Fovea.Models.MiniCpmV;
using Fovea.Models.MiniCpmV46;
using Fovea.Models.MiniMindV;
using Fovea.Models.Qwen25Vl;
using Fovea.Models.Qwen2Vl;
using Fovea.Models.Qwen35;
using Fovea.Models.Qwen3Vl;

namespace Fovea.Models;

/// <summary>The table of model families.</summary>
internal static class Families
{
    /// <summary>One line a family.</summary>
    public static IReadOnlyList<ModelFamily> All { get; } =
    [
        new Qwen25VlFamily(), new MiniCpmVFamily(), new MiniMindVFamily(), new Qwen3VlFamily(), new Qwen2VlFamily(), new Qwen35Family(),
        new MiniCpmV46Family(),
    ];

    public static string ConfigPath(string folder) => Path.Combine(folder, "config.json");

    /// <summary>The family of a Hugging Face model folder, by the model_type of its config.json.</summary>
    public static ModelFamily Of(string folder, ConfigReader config)
    {
        var type = config.Text("model_type");
        return All.FirstOrDefault(f => f.ModelType == type || f.OtherTypes.Contains(type))
            ?? throw new ConfigException(
                $"{ConfigPath(folder)}: model_type \"{type}\" is not supported; supported: "
                + $"{string.Join(", ", All.SelectMany(f => f.OtherTypes.Prepend(f.ModelType)))}");
    }
}
