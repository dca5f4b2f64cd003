using Fovea.Models.Configs;

namespace Fovea.Models.Grids;

/// <summary>The file of the image processor that cuts pictures into grids of patches (Transformers' Qwen2VLImageProcessor).</summary>
internal static class GridImages
{
    /// <summary>Every field of it.</summary>
    public static FieldTable Fields { get; } = new FieldTable()
        .Read("min_pixels max_pixels size patch_size temporal_patch_size merge_size image_mean image_std resample rescale_factor do_resize do_rescale "
            + "do_normalize image_processor")
        .Only("every picture becomes RGB", "do_convert_rgb", true)
        .Only("nothing is cut or padded", "do_center_crop do_pad", false)
        .Unused("only read with cutting or padding", "crop_size pad_size default_to_square")
        .Unused("how the original hands pictures over", "data_format input_data_format device return_tensors disable_grouping");

    /// <summary>Throws over what would change pixels and is not computed.</summary>
    /// <param name="folder">The model folder; without the file nothing is said, as who reads it does.</param>
    /// <param name="patches">The vision tower's, which must be the same.</param>
    /// <returns>Fields that nobody knows.</returns>
    public static IReadOnlyList<string> Check(string folder, PatchShape? patches = null)
    {
        var path = new[] { "preprocessor_config.json", "processor_config.json" }.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        if (path is null)
        {
            return [];
        }

        var json = ConfigReader.Open(path);
        json = json.Section("image_processor") ?? json;
        var unknown = Fields.Check(json);
        if (patches is { } tower)
        {
            Same("patch_size", tower.Size, 14, "patch_size");
            Same("temporal_patch_size", tower.Frames, 2, "temporal_patch_size");
            Same("merge_size", tower.Merge, 2, "spatial_merge_size");
        }

        return unknown;

        void Same(string name, int expected, int usual, string other)
        {
            if (json.Int(name, usual) != expected)
            {
                throw json.Wrong(name, $"{expected}, as vision_config.{other} says");
            }
        }
    }
}
