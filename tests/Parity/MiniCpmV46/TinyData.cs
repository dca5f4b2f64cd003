using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Templates;
using Fovea.Models;
using Fovea.Models.MiniCpmV46;

namespace Fovea.Tests.Parity.MiniCpmV46;

/// <summary>The samples of tests/goldens/minicpmv4_6 without videos, made by our own data side, and its model.</summary>
internal sealed class TinyData : IDisposable
{
    private readonly TempFolder folder = new();
    private readonly LoadedData data;
    private readonly JsonElement json;

    public TinyData(MiniCpmV46Options? options = null)
    {
        Processor = ModelSource.Open(Folder).Process(null, options);
        json = Golden.Json(TestFiles.Golden("minicpmv4_6/forward.json"));
        var rows = Golden.Json(TestFiles.Golden("minicpmv4_6/data/forward_rows.json"));
        folder.Write("rows.json", new JsonArray([.. Names.Select(name => JsonNode.Parse(rows.GetProperty(name).GetRawText()))]).ToJsonString());
        var read = new DataOptions
        {
            Dataset = [Path.Combine(folder.Path, "rows.json")],
            DatasetDir = folder.Path,
            MediaDir = TestFiles.Golden("minicpmv4_6/data"),
        };
        data = DatasetLoader.Load(read);
        var encoder = Processor.NewEncoder(read);
        Samples = [.. Enumerable.Range(0, Names.Length).Select(i => encoder.Encode(data.Train[i]))];
        Forward = new Golden(TestFiles.Golden("minicpmv4_6/forward.safetensors"));
    }

    public static string Folder => TestFiles.Golden("minicpmv4_6/model");

    public static string[] Names => ["one", "two", "resized", "text", "turns", "long"];

    public ModelProcessor Processor { get; }

    public EncodedSample[] Samples { get; }

    public Golden Forward { get; }

    public static MiniCpmV46Model Load(ModelOptions? options = null) => (MiniCpmV46Model)ModelSource.Open(Folder).Load(
        (options ?? new ModelOptions()) with { Device = TestDevice.Device });

    /// <summary>What forward.json says of a sample.</summary>
    public JsonElement Json(string name) => name == "one_4x" ? json.GetProperty(name) : json.GetProperty("samples").GetProperty(name);

    public EncodedSample Named(string name) => Samples[Array.IndexOf(Names, name)];

    /// <summary>A step of samples, one a group.</summary>
    public StepBatch Plan(IReadOnlyList<string> names, int microBatchTokens = 1_000_000)
    {
        var groups = names.Select(name => (IReadOnlyList<StepSample>)[new StepSample(Array.IndexOf(Names, name), Named(name))]).ToArray();
        var plan = StepPlanner.Plan(0, groups, new PlanOptions { MicroBatchTokens = microBatchTokens, Reduction = LossReduction.Token });
        foreach (var batch in plan.MicroBatches)
        {
            var target = batch.AllocatePixels(batch.Grids.Sum(grid => grid.Patches), Processor.Images.PatchLength);
            var (last, part) = (string.Empty, 0);
            foreach (var path in batch.ImagePaths)
            {
                var parts = Processor.Images.Process(MediaSource.FromFile(path)).Parts;
                (part, last) = (path == last && part + 1 < parts.Count ? part + 1 : 0, path);
                parts[part].Patches.CopyTo(target);
                target = target[parts[part].Patches.Length..];
            }
        }

        return plan;
    }

    public void Dispose()
    {
        Forward.Dispose();
        data.Dispose();
        folder.Dispose();
    }
}
