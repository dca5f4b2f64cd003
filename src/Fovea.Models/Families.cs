using Fovea.Files.Safetensors;
using Fovea.Models.MiniCpmV;
using Fovea.Models.MiniMindV;
using Fovea.Models.Qwen25Vl;

namespace Fovea.Models;

/// <summary>The table of model families, and how a model folder becomes a model.</summary>
internal static class Families
{
    /// <summary>One line a family.</summary>
    public static IReadOnlyList<ModelFamily> All { get; } = [new Qwen25VlFamily(), new MiniCpmVFamily(), new MiniMindVFamily()];

    /// <summary>The family of a Hugging Face model folder, by the model_type of its config.json.</summary>
    public static ModelFamily Of(string folder)
    {
        var config = ConfigReader.Open(ConfigPath(folder));
        var type = config.Text("model_type");
        return All.FirstOrDefault(f => f.ModelType == type || f.OtherTypes.Contains(type))
            ?? throw new ConfigException(
                $"{ConfigPath(folder)}: model_type \"{type}\" is not supported; supported: "
                + $"{string.Join(", ", All.SelectMany(f => f.OtherTypes.Prepend(f.ModelType)))}");
    }

    public static string ConfigPath(string folder) => Path.Combine(folder, "config.json");

    /// <summary>Opens a model folder: every weight mapped, cast as asked; what is missing or left over is an error.</summary>
    public static VisionLanguageModel Load(string folder, ModelOptions options)
    {
        var family = Of(folder);
        if (family.Files is { } own)
        {
            return Load(folder, family, own, options);
        }

        using var checkpoint = Checkpoint.Open(folder);
        var wrapped = WrapperNames.In(checkpoint);
        var model = family.Build(ConfigPath(folder), new CheckpointSource(checkpoint, name => family.Names.ToLedger(wrapped.Plain(name))), options);
        try
        {
            // A tied head may have been saved all the same; an inverse frequency is a constant that old releases wrote.
            model.Ledger.CheckComplete(
                checkpoint.Path,
                name => name == "lm_head.weight" || name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal) || family.LeavesAlone(name));
            model.Notices = wrapped.Notice is { } notice ? [notice, .. UnknownFields(folder, family)] : UnknownFields(folder, family);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>As the other one, where only what is missing and cannot be made afresh is an error.</summary>
    private static VisionLanguageModel Load(string folder, ModelFamily family, IModelFiles own, ModelOptions options)
    {
        using var files = own.Open(folder, options.WeightsFile);
        var model = family.Build(ConfigPath(folder), files, options);
        try
        {
            model.Ledger.CheckComplete(folder, held: files.Held);
            model.Notices = [.. UnknownFields(folder, family), .. files.Notices(model.Ledger, name => name == "lm_head.weight")];
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static IReadOnlyList<string> UnknownFields(string folder, ModelFamily family) => family.UnknownFields(folder) is { Count: > 0 } fields
        ? [$"{folder}: these fields of its JSON files are not known and have no effect: {string.Join(", ", fields)}"]
        : [];
}
