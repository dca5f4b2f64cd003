using System.Text.Json;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Templates;
using Fovea.Models;
using Fovea.Models.Qwen3Vl;
using Fovea.Training.Features;

namespace Fovea.Tests.Parity.Qwen3Vl;

/// <summary>The samples of tests/goldens/qwen3_vl with the reference's ids and labels; those with videos are left out.</summary>
internal sealed class TinyData : IDisposable
{
    private readonly JsonElement named = Golden.Json(TestFiles.Golden("qwen3_vl/forward.json")).GetProperty("samples");
    private readonly Qwen2VlImageProcessor images = Qwen2VlImageProcessor.Load(Folder);
    private readonly Dictionary<string, float[]> pixels = [];

    public TinyData()
    {
        var texts = Golden.Json(TestFiles.Golden("qwen3_vl/data/train.json"));
        var encoded = Golden.Json(TestFiles.Golden("qwen3_vl/train_encoded.json"));
        Rows = [.. encoded.EnumerateArray().Select((sample, row) => Encoded(sample, row, image =>
            TestFiles.Golden($"qwen3_vl/data/{texts[row].GetProperty("images")[image].GetString()}")))];
    }

    public static string Folder => TestFiles.Golden("qwen3_vl/model");

    /// <summary>Names of the samples of the forward pass.</summary>
    public static string[] Names => ["one", "two", "resized", "text", "turns", "long"];

    public Golden Forward { get; } = new(TestFiles.Golden("qwen3_vl/forward.safetensors"));

    /// <summary>The 32 rows of the training runs.</summary>
    public EncodedSample[] Rows { get; }

    public static Qwen3VlModel Load(ModelOptions? options = null) => (Qwen3VlModel)ModelSource.Open(Folder).Load(
        (options ?? new ModelOptions()) with { Device = TestDevice.Device });

    /// <summary>What forward.json says of a sample.</summary>
    public JsonElement Json(string name) => named.GetProperty(name);

    /// <summary>A sample of the forward pass; its pixels are the reference's.</summary>
    public EncodedSample Named(string name)
    {
        var sample = Encoded(named.GetProperty(name), Array.IndexOf(Names, name), image => $"{name}.{image}");
        var at = 0;
        foreach (var image in sample.Images)
        {
            var count = image.Grid.Patches * 1536;
            pixels[image.Source.Name] = Forward.Floats($"{name}.pixel_values")[at..(at + count)];
            at += count;
        }

        return sample;
    }

    /// <summary>A step of samples, one a group.</summary>
    public StepBatch Plan(int step, IReadOnlyList<EncodedSample> samples, int microBatchTokens = 1_000_000)
    {
        var groups = samples.Select(sample => (IReadOnlyList<StepSample>)[new StepSample(sample.Row, sample)]).ToArray();
        var plan = StepPlanner.Plan(step, groups, new PlanOptions { MicroBatchTokens = microBatchTokens, Reduction = LossReduction.Token });
        foreach (var batch in plan.MicroBatches)
        {
            batch.Tickets = [.. batch.ImagePaths.Select(path => new ImageTicket(path, path, null, default))];
            var target = batch.AllocatePixels(batch.Grids.Sum(grid => grid.Patches), 1536);
            foreach (var path in batch.ImagePaths)
            {
                if (!pixels.TryGetValue(path, out var values))
                {
                    pixels[path] = values = images.Process(ImageReader.Read(path)).Patches;
                }

                values.CopyTo(target);
                target = target[values.Length..];
            }
        }

        return plan;
    }

    public void Dispose() => Forward.Dispose();

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
