using System.Globalization;
using System.Text.Json;

namespace Fovea.Data.Images;

/// <summary>
/// What a Qwen2-VL image processor needs to know, from <c>preprocessor_config.json</c> (or <c>image_processor</c> in <c>processor_config.json</c>).
/// Pixel limits are areas after resizing; mean and deviation are those of RGB values in 0..1.
/// </summary>
internal sealed record Qwen2VlImageSettings
{
    private const string FileName = "preprocessor_config.json";
    private const string NewerFileName = "processor_config.json";

    public long MinPixels { get; init; } = 56 * 56;

    public long MaxPixels { get; init; } = 28 * 28 * 1280;

    public int PatchSize { get; init; } = 14;

    public int TemporalPatchSize { get; init; } = 2;

    public int MergeSize { get; init; } = 2;

    public IReadOnlyList<double> Mean { get; init; } = [0.48145466, 0.4578275, 0.40821073];

    public IReadOnlyList<double> Deviation { get; init; } = [0.26862954, 0.26130258, 0.27577711];

    /// <summary>All settings as text.</summary>
    internal string Identity => string.Create(
        CultureInfo.InvariantCulture,
        $"{MinPixels} {MaxPixels} {PatchSize} {TemporalPatchSize} {MergeSize} {Numbers(Mean)} {Numbers(Deviation)}");

    /// <exception cref="ConfigException">The file is missing, malformed, or asks for what cannot be done; lists every problem.</exception>
    public static Qwen2VlImageSettings Load(string modelFolder)
    {
        var path = Path.Combine(modelFolder, FileName);
        var newerPath = Path.Combine(modelFolder, NewerFileName);
        var isNewer = !File.Exists(path) && File.Exists(newerPath);
        path = isNewer ? newerPath : path;
        using var json = JsonFile.ReadObject(path, "the model folder needs the image processor's configuration");
        var root = isNewer && json.RootElement.TryGetProperty("image_processor", out var nested) ? nested : json.RootElement;
        return root.ValueKind == JsonValueKind.Object ? Parse(root, path)
            : throw new ConfigException($"{path}: image_processor must be an object, not {JsonText.Show(root)}");
    }

    private static string Numbers(IReadOnlyList<double> values) => string.Join(',', values.Select(v => v.ToString("R", CultureInfo.InvariantCulture)));

    private static Qwen2VlImageSettings Parse(JsonElement root, string path)
    {
        var reader = new JsonSettings(root, path);
        var plain = new Qwen2VlImageSettings();
        var settings = plain with
        {
            MinPixels = reader.Integer("min_pixels") ?? reader.Integer("size", "shortest_edge") ?? reader.Integer("size", "min_pixels") ?? plain.MinPixels,
            MaxPixels = reader.Integer("max_pixels") ?? reader.Integer("size", "longest_edge") ?? reader.Integer("size", "max_pixels") ?? plain.MaxPixels,
            PatchSize = (int)(reader.Integer("patch_size") ?? plain.PatchSize),
            TemporalPatchSize = (int)(reader.Integer("temporal_patch_size") ?? plain.TemporalPatchSize),
            MergeSize = (int)(reader.Integer("merge_size") ?? plain.MergeSize),
            Mean = reader.ThreeNumbers("image_mean") ?? plain.Mean,
            Deviation = reader.ThreeNumbers("image_std") ?? plain.Deviation,
        };
        reader.MustBeTrue("do_resize");
        reader.MustBeTrue("do_rescale");
        reader.MustBeTrue("do_normalize");
        reader.Require(reader.Integer("resample") is null or 3, "resample", "must be 3 (bicubic)");
        reader.Require(reader.Number("rescale_factor") is null or (> 0.003921568 and < 0.003921569), "rescale_factor", "must be 1/255");
        reader.Require(settings.MinPixels <= settings.MaxPixels, "min_pixels", $"({settings.MinPixels}) must not exceed max_pixels ({settings.MaxPixels})");
        reader.Require(settings.Deviation.All(value => value > 0), "image_std", "must be positive");
        reader.ThrowIfBad();
        return settings;
    }
}
