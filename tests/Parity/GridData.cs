using System.Text.Json;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Templates;

namespace Fovea.Tests.Parity;

/// <summary>The samples of a golden of the Qwen line with the reference's ids and labels; those with videos are left out.</summary>
internal class GridData : IDisposable
{
    private const int PatchWidth = 1536;
    private readonly string golden;
    private readonly JsonElement named;
    private readonly JsonElement pictures;
    private readonly GoldenPixels pixels;

    /// <param name="golden">The folder in tests/goldens.</param>
    public GridData(string golden)
    {
        this.golden = golden;
        named = Golden.Json(TestFiles.Golden($"{golden}/forward.json")).GetProperty("samples");
        pictures = Golden.Json(TestFiles.Golden($"{golden}/data/forward_rows.json"));
        pixels = new GoldenPixels(TestFiles.Golden($"{golden}/model"), PatchWidth);
        Forward = new Golden(TestFiles.Golden($"{golden}/forward.safetensors"));
        var texts = Golden.Json(TestFiles.Golden($"{golden}/data/train.json"));
        var encoded = Golden.Json(TestFiles.Golden($"{golden}/train_encoded.json"));
        Rows = [.. encoded.EnumerateArray().Select((sample, row) => Encoded(sample, row, image =>
            TestFiles.Golden($"{golden}/data/{texts[row].GetProperty("images")[image].GetString()}")))];
    }

    /// <summary>Names of the samples of the forward pass.</summary>
    public static string[] Names => ["one", "two", "resized", "text", "turns", "long"];

    public Golden Forward { get; }

    /// <summary>The 32 rows of the training runs.</summary>
    public EncodedSample[] Rows { get; }

    /// <summary>What forward.json says of a sample.</summary>
    public JsonElement Json(string name) => named.GetProperty(name);

    /// <summary>A sample of the forward pass; its pixels are the reference's where the golden has all of them.</summary>
    public EncodedSample Named(string name)
    {
        var hasImages = named.GetProperty(name).TryGetProperty("image_grid_thw", out var thw) && thw.ValueKind == JsonValueKind.Array;
        var reference = hasImages ? Forward.Floats($"{name}.pixel_values") : [];
        var isWhole = !reference.Any(float.IsNaN);
        var sample = Encoded(named.GetProperty(name), Array.IndexOf(Names, name), image => isWhole
            ? $"{name}.{image}"
            : TestFiles.Golden($"{golden}/data/{pictures.GetProperty(name).GetProperty("images")[image].GetString()}"));
        var at = 0;
        foreach (var image in isWhole ? sample.Images : [])
        {
            var count = image.Grid.Patches * PatchWidth;
            pixels.Set(image.Source.Name, reference[at..(at + count)]);
            at += count;
        }

        return sample;
    }

    /// <summary>A step of samples, one a group.</summary>
    public StepBatch Plan(int step, IReadOnlyList<EncodedSample> samples, int microBatchTokens = 1_000_000)
    {
        var groups = samples.Select(sample => (IReadOnlyList<StepSample>)[new StepSample(sample.Row, sample)]).ToArray();
        return pixels.Fill(StepPlanner.Plan(step, groups, new PlanOptions { MicroBatchTokens = microBatchTokens, Reduction = LossReduction.Token }));
    }

    public void Dispose()
    {
        Forward.Dispose();
        GC.SuppressFinalize(this);
    }

    private static EncodedSample Encoded(JsonElement sample, int row, Func<int, string> path)
    {
        var ids = sample.GetProperty("input_ids").EnumerateArray().Select(v => v.GetInt32()).ToArray();
        var labels = sample.GetProperty("labels").EnumerateArray().Select(v => v.GetInt32()).ToArray();
        var grids = sample.TryGetProperty("image_grid_thw", out var thw) && thw.ValueKind == JsonValueKind.Array
            ? thw.EnumerateArray().Select(g => new ImageGrid(g[0].GetInt32(), g[1].GetInt32(), g[2].GetInt32())).ToArray()
            : [];
        var at = 0;
        var images = grids.Select((grid, i) =>
        {
            at = Array.IndexOf(ids, 1990, at);
            var image = new ImageRef(path(i), grid, at, grid.MergedTokens(2));
            at += image.Tokens;
            return image;
        }).ToArray();
        Assert.Equal(ids.Count(id => id == 1990), images.Sum(image => image.Tokens));
        return new EncodedSample(ids, labels, images, "tiny", row);
    }
}
