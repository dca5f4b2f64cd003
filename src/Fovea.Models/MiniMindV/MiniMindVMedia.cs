using System.Globalization;
using Fovea.Data.Images;

namespace Fovea.Models.MiniMindV;

/// <summary>
/// Pictures for MiniMind-V, with Pillow's pixels: CLIP's shortest side to the encoder's size and a cut from the middle, or SigLIP's resize to a square;
/// then (x / 255 - mean) / deviation. Every picture has the same number of patches.
/// </summary>
internal sealed class MiniMindVMedia : IMediaProcessor
{
    private readonly MiniMindVVisionConfig vision;
    private readonly ImageGrid grid;
    private readonly ResizeFilter filter;
    private readonly bool cuts;
    private readonly float[] values;
    private readonly string settings;

    /// <param name="folder">The encoder's folder with its preprocessor_config.json.</param>
    public MiniMindVMedia(string folder, MiniMindVVisionConfig vision)
    {
        this.vision = vision;
        grid = new ImageGrid(1, vision.Side, vision.Side);
        var json = ConfigReader.Open(Path.Combine(folder, "preprocessor_config.json"));
        MiniMindVFields.Images.Check(json);
        cuts = json.Bool("do_center_crop", vision.IsClip);
        var resample = json.Int("resample", 3);
        filter = resample switch
        {
            2 => ResizeFilter.PillowBilinear,
            3 => ResizeFilter.PillowBicubic,
            1 => ResizeFilter.PillowLanczos,
            _ => throw json.Wrong("resample", "1 (Lanczos), 2 (bilinear) or 3 (bicubic)"),
        };
        CheckSize(json);
        var mean = Three(json, "image_mean", vision.IsClip ? [0.48145466, 0.4578275, 0.40821073] : [0.5, 0.5, 0.5]);
        var deviation = Three(json, "image_std", vision.IsClip ? [0.26862954, 0.26130258, 0.27577711] : [0.5, 0.5, 0.5]);
        values = new float[3 * 256];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = ((float)((i % 256) * (1 / 255.0)) - (float)mean[i / 256]) / (float)deviation[i / 256];
        }

        settings = string.Create(CultureInfo.InvariantCulture, $"{filter} {cuts} {string.Join(',', mean)} {string.Join(',', deviation)}");
    }

    public int PatchLength => vision.PatchLength;

    public string Identity => $"minimind-v/1 {vision.ImageSize} {vision.PatchSize} {settings}";

    public MediaPlan Plan(MediaHeader header) => MediaPlan.One(grid, grid.Patches);

    public void Process(MediaPlan plan, MediaContent content, ReadOnlySpan<Memory<float>> parts)
    {
        if (!parts[0].IsEmpty)
        {
            Fill(Squared(content.Decode() with { Indexed = false }), parts[0].Span);
        }
    }

    private void Fill(RgbImage image, Span<float> patches)
    {
        var (size, stride) = (vision.PatchSize, vision.ImageSize * 3);
        var to = 0;
        for (var row = 0; row < vision.Side; row++)
        {
            for (var column = 0; column < vision.Side; column++)
            {
                for (var channel = 0; channel < 3; channel++)
                {
                    for (var y = 0; y < size; y++)
                    {
                        var from = (((row * size) + y) * stride) + (column * size * 3) + channel;
                        for (var x = 0; x < size; x++)
                        {
                            patches[to++] = values[(channel * 256) + image.Pixels[from + (x * 3)]];
                        }
                    }
                }
            }
        }
    }

    private RgbImage Squared(RgbImage image)
    {
        var size = vision.ImageSize;
        if (!cuts)
        {
            return Resizer.Resize(image, size, size, filter);
        }

        var (width, height) = image.Width <= image.Height
            ? (size, (int)((long)size * image.Height / image.Width))
            : ((int)((long)size * image.Width / image.Height), size);
        return Resizer.Resize(image, width, height, filter).Crop((width - size) / 2, (height - size) / 2, size, size);
    }

    /// <summary>Older files give one number, newer ones an object.</summary>
    private void CheckSize(ConfigReader json)
    {
        foreach (var key in cuts ? ["size", "crop_size"] : new[] { "size" })
        {
            var section = json.HasObject(key) ? json.Section(key) : null;
            var given = section is null ? json.Int(key, vision.ImageSize)
                : section.Has("shortest_edge") ? section.Int("shortest_edge")
                : section.Int("height") == section.Int("width") ? section.Int("height") : -1;
            if (given != vision.ImageSize)
            {
                throw json.Wrong(key, $"the encoder's {vision.ImageSize} pixels a side");
            }
        }
    }

    private static double[] Three(ConfigReader json, string key, double[] usual) => json.Doubles(key, usual) is { Length: 3 } three
        ? three
        : throw json.Wrong(key, "three numbers");
}
