using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Templates;

using LossReduction = Fovea.Data.Packing.LossReduction;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>The samples of tests/goldens/qwen2_5_vl_tiny as the original encoded them, with their pixels.</summary>
internal sealed class TinySamples
{
    private readonly GoldenPixels pixels = new(TestFiles.Golden("qwen2_5_vl_tiny/model"), 1176);

    public EncodedSample[] All { get; } = ReadSamples();

    public StepBatch Plan(int step, int[] indices, LossReduction reduction, int microBatchTokens)
    {
        // One sample a group: the reference's "mean" is the mean of per-sample means.
        var groups = indices.Select(i => (IReadOnlyList<StepSample>)[new StepSample(i, All[i])]).ToArray();
        return WithPixels(StepPlanner.Plan(step, groups, new PlanOptions { MicroBatchTokens = microBatchTokens, Reduction = reduction }));
    }

    public StepBatch WithPixels(StepBatch plan) => pixels.Fill(plan);

    private static EncodedSample[] ReadSamples()
    {
        var texts = Golden.Json(TestFiles.Golden("qwen2_5_vl_tiny/data/tiny_shapes.json"));
        var encoded = Golden.Json(TestFiles.Golden("qwen2_5_vl_tiny/samples_encoded.json"));
        return [.. encoded.EnumerateArray().Select((sample, row) =>
        {
            var ids = sample.GetProperty("input_ids").EnumerateArray().Select(v => v.GetInt32()).ToArray();
            var labels = sample.GetProperty("labels").EnumerateArray().Select(v => v.GetInt32()).ToArray();
            var types = sample.GetProperty("mm_token_type_ids").EnumerateArray().Select(v => v.GetInt32()).ToArray();
            var files = texts[row].GetProperty("images").EnumerateArray().Select(v => TestFiles.Golden($"qwen2_5_vl_tiny/data/{v.GetString()}")).ToArray();
            var grids = sample.GetProperty("image_grid_thw").EnumerateArray()
                .Select(g => new ImageGrid(g[0].GetInt32(), g[1].GetInt32(), g[2].GetInt32())).ToArray();
            var at = 0;
            var images = files.Select((file, i) =>
            {
                at = Array.IndexOf(types, 1, at);
                var image = new ImageRef(file, grids[i], at, grids[i].MergedTokens(2));
                at += image.Tokens;
                return image;
            }).ToArray();
            return new EncodedSample(ids, labels, images, "tiny", row);
        })];
    }
}
