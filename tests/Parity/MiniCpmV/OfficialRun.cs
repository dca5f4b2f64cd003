using System.Runtime.InteropServices;
using System.Text.Json;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Templates;
using Fovea.Models;
using Fovea.Models.MiniCpmV;

namespace Fovea.Tests.Parity.MiniCpmV;

/// <summary>The rows of a golden as packed batches, made by our own data side (tests/goldens/minicpm_v*/generate.py).</summary>
internal sealed class OfficialRun : IDisposable
{
    private readonly LoadedData data;

    public OfficialRun(string version, DataOptions? options = null, MiniCpmVOptions? own = null)
    {
        Version = version;
        options ??= Options(version);
        data = DatasetLoader.Load(options);
        Processor = ModelSource.Open(Folder("model")).Process(null, own).With(options);
        Encoder = (MiniCpmVEncoder)Processor.NewEncoder(options);
    }

    public string Version { get; }

    public ModelProcessor Processor { get; }

    public MiniCpmVEncoder Encoder { get; }

    public static DataOptions Options(string version) => new()
    {
        Dataset = [TestFiles.Golden($"{version}/data/train.json")],
        DatasetDir = TestFiles.Golden($"{version}/data"),
        MediaDir = Images(version),
    };

    /// <summary>The pictures of V-2.6 serve V-4 and V-4.5 too.</summary>
    public static string Images(string version) =>
        TestFiles.Golden($"{(version is "minicpm_v45" or "minicpm_v4_derived" ? "minicpm_v26" : version)}/data/images");

    public string Folder(string name) => TestFiles.Golden($"{Version}/{name}");

    public JsonElement Encoded(int row) => Golden.Json(Path.Combine(Folder("data"), "encoded.json")).GetProperty("rows")[row];

    /// <summary>A row with its images where the original puts them: in the order in which the row lists them.</summary>
    public EncodedSample Encode(int row)
    {
        var conversation = data.Train[row];
        var listed = Golden.Json(Path.Combine(Folder("data"), "train.json"))[row].GetProperty("image");
        return Encoder.Encode(conversation, listed.ValueKind == JsonValueKind.String ? null
            : [.. listed.EnumerateObject().Select(image =>
                conversation.Images.ToList().FindIndex(source => Path.GetFileName(source.Name) == image.Value.GetString()))]);
    }

    /// <summary>Rows as one batch whose loss is the mean over its labels, as the original's.</summary>
    public PackedBatch Batch(params int[] rows) => Step([rows]).MicroBatches[0];

    /// <summary>A step of several batches.</summary>
    public StepBatch Step(int[][] groups)
    {
        var samples = groups.Select(rows => (IReadOnlyList<StepSample>)[.. rows.Select(row => new StepSample(row, Encode(row)))]).ToList();
        var step = StepPlanner.Plan(0, samples, new PlanOptions { MicroBatchTokens = 1 << 20, Reduction = LossReduction.Mean });
        var images = new Queue<ImageRef>(samples.SelectMany(group => group).SelectMany(sample => sample.Sample.Images));
        foreach (var batch in step.MicroBatches)
        {
            var length = Processor.Images.PatchLength;
            var pixels = batch.AllocatePixels(batch.Grids.Sum(grid => grid.Patches), length);
            foreach (var _ in batch.Grids)
            {
                var patches = Patches(images.Dequeue());
                patches.CopyTo(pixels);
                pixels = pixels[patches.Length..];
            }
        }

        return step;
    }

    /// <summary>One part as the original hands it over: a strip [3, patch, patch * patches], or as V-2 takes it the picture [3, height, width].</summary>
    public byte[] PixelBytes(ImageRef image, bool strip) => MemoryMarshal.AsBytes(Turned(Patches(image), image.Grid, strip).AsSpan()).ToArray();

    /// <summary>The patches of one part, so arranged.</summary>
    public static float[] Turned(ReadOnlySpan<float> values, ImageGrid grid, bool strip)
    {
        const int patch = 14;
        var (columns, width) = strip ? (grid.Patches, patch * grid.Patches) : (grid.W, patch * grid.W);
        var height = values.Length / 3 / width;
        var turned = new float[values.Length];
        for (var i = 0; i < values.Length; i++)
        {
            var (number, rest) = Math.DivRem(i, 3 * patch * patch);
            var (channel, inside) = Math.DivRem(rest, patch * patch);
            var (row, column) = ((number / columns * patch) + (inside / patch), (number % columns * patch) + (inside % patch));
            turned[(((channel * height) + row) * width) + column] = values[i];
        }

        return turned;
    }

    public void Dispose() => data.Dispose();

    /// <summary>One part alone.</summary>
    private float[] Patches(ImageRef image)
    {
        var values = new float[image.Grid.Patches * Processor.Images.PatchLength];
        var parts = new Memory<float>[image.Plan.Parts.Count];
        parts[image.Part] = values;
        Processor.Images.Process(image.Plan, new MediaContent(image.Source), parts);
        return values;
    }
}
