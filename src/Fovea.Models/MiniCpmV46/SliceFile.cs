using Fovea.Data.Images;

namespace Fovea.Models.MiniCpmV46;

/// <summary>The image processor's file of a model folder; without it Transformers' defaults.</summary>
internal sealed record SliceFile
{
    public required SliceSettings Slicing { get; init; }

    public required IReadOnlyList<double> Mean { get; init; }

    public required IReadOnlyList<double> Deviation { get; init; }

    /// <summary>Pictures have their number before them.</summary>
    public required bool Numbers { get; init; }

    /// <param name="folder">Of the model.</param>
    /// <returns>Null where there is no file.</returns>
    public static ConfigReader? Open(string folder)
    {
        var path = new[] { "preprocessor_config.json", "processor_config.json" }.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        if (path is null)
        {
            return null;
        }

        var json = ConfigReader.Open(path);
        return json.Section("image_processor") ?? json;
    }

    /// <exception cref="ConfigException">The file says another thing than config.json, or what is not computed.</exception>
    public static SliceFile Read(string folder, MiniCpmV46Config config)
    {
        double[] half = [0.5, 0.5, 0.5];
        if (Open(folder) is not { } json)
        {
            var usual = new SliceSettings(PatchSize: config.Vision.PatchSize, Multiple: 4);
            return new SliceFile { Slicing = usual, Mean = half, Deviation = half, Numbers = true };
        }

        MiniCpmV46Fields.Images.Check(json);
        if (json.Int("patch_size", 14) != config.Vision.PatchSize)
        {
            throw json.Wrong("patch_size", $"{config.Vision.PatchSize}, as vision_config.patch_size says");
        }

        if (Downsampling.Keeps(json) != config.KeepsWindows)
        {
            throw json.Wrong(
                Downsampling.Field, "what config.json says: text and model must have as many tokens (a run's own is downsample_mode in its configuration)");
        }

        var (mean, deviation) = (json.Doubles("image_mean", half), json.Doubles("image_std", half));
        if (mean.Length != 3 || deviation.Length != 3 || deviation.Any(value => value <= 0))
        {
            throw json.Wrong("image_mean", "three numbers, as image_std, whose must be positive");
        }

        return new SliceFile
        {
            // Two joints of squares of four need sides of multiples of four patches.
            Slicing = new SliceSettings(
                json.Bool("slice_mode", true) ? json.Int("max_slice_nums", 9) : 1, json.Int("scale_resolution", 448), config.Vision.PatchSize, 4),
            Mean = mean,
            Deviation = deviation,
            Numbers = json.Bool("use_image_id", true),
        };
    }
}
