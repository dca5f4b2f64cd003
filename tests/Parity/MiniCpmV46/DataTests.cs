using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Models;
using Fovea.Models.MiniCpmV46;
using Fovea.Tests.Unit.Data;

namespace Fovea.Tests.Parity.MiniCpmV46;

/// <summary>Slices, pixels, ids and labels against Transformers' processor and LLaMA-Factory's plugin (tests/goldens/minicpmv4_6).</summary>
public sealed class DataTests
{
    [Fact]
    public void Pictures_are_cut_as_the_original_cuts_them()
    {
        var cases = Golden.Json(TestFiles.Golden("minicpmv4_6/forward.json")).GetProperty("processing").GetProperty("slicing");
        Assert.True(cases.GetArrayLength() >= 32, $"{cases.GetArrayLength()} cases");
        foreach (var known in cases.EnumerateArray())
        {
            var size = Pair(known, "wh")!;
            var settings = new SliceSettings(known.GetProperty("max_slice_nums").GetInt32(), known.GetProperty("scale_resolution").GetInt32(), Multiple: 4);
            var plan = SlicePlan.For(size[0], size[1], settings);
            Assert.Equal(Pair(known, "source_hw"), new[] { plan.Source.Height, plan.Source.Width });
            Assert.Equal(Pair(known, "grid_rows_cols") ?? [0, 0], new[] { plan.Rows, plan.Columns });
            if (Pair(known, "refined_hw") is { } refined)
            {
                Assert.Equal(refined, new[] { plan.Refined.Height, plan.Refined.Width });
            }
        }
    }

    [Fact]
    public void Ids_labels_and_slices_of_the_samples_are_the_original_s()
    {
        using var data = new TinyData();
        foreach (var name in TinyData.Names)
        {
            var (expected, sample) = (data.Json(name), data.Named(name));
            Assert.Equal(Ints(expected, "input_ids"), sample.Ids);
            Assert.Equal(Ints(expected, "labels"), sample.Labels);
            var sizes = expected.TryGetProperty("target_sizes", out var listed)
                ? listed.EnumerateArray().Select(size => (size[0].GetInt32(), size[1].GetInt32()))
                : [];
            Assert.Equal(sizes, sample.Images.Select(image => (image.Grid.H, image.Grid.W)));
        }
    }

    [Fact]
    public void Pixels_are_the_original_s()
    {
        using var data = new TinyData();
        var compared = 0;
        foreach (var name in TinyData.Names.Where(name => name is not ("text" or "long")))
        {
            using var step = data.Plan([name]);
            var sample = data.Named(name);
            var whole = name == "one" ? "one.pixel_values" : $"{name}.patches";
            if (!data.Forward.Names.Any(known => known.StartsWith(whole, StringComparison.Ordinal)))
            {
                continue;
            }

            // The original's strip: patches side by side.
            var (patches, at) = (sample.Images.Sum(image => image.Grid.Patches), 0);
            var values = new float[patches * 588];
            foreach (var image in sample.Images)
            {
                var part = data.Processor.Images.Process(image.Source).Parts[image.Part];
                part.Patches.CopyTo(values, at);
                at += part.Patches.Length;
            }

            var strip = MiniCpmV.OfficialRun.Turned(values, new ImageGrid(1, 1, patches), strip: true);
            Golden.Near(whole, data.Forward.Floats(whole), strip, 1e-6);
            compared++;
        }

        Assert.True(compared >= 1);
    }

    [Fact]
    public void All_training_rows_have_the_ids_and_labels_of_the_original()
    {
        var expected = GoldenSample.Read(TestFiles.Golden("minicpmv4_6/train_encoded.json"));
        var options = new DataOptions { Dataset = ["train"], DatasetDir = TestFiles.Golden("minicpmv4_6/data") };
        using var data = DatasetLoader.Load(options);
        var processor = ModelSource.Open(TinyData.Folder).Process();
        foreach (var template in new[] { processor.Template, ChatTemplates.Get("minicpm_v_4_6") })
        {
            var encoder = (processor with { Template = template }).NewEncoder(options);
            Assert.Equal((32, 32), (expected.Length, data.Train.Count));
            for (var i = 0; i < expected.Length; i++)
            {
                var sample = encoder.Encode(data.Train[i]);
                Assert.Equal(expected[i].Ids, sample.Ids);
                Assert.Equal(expected[i].Labels, sample.Labels);
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Rows_have_the_ids_and_labels_of_LLaMA_Factory(int run)
    {
        var expected = Golden.Json(TestFiles.Golden("minicpmv4_6/llamafactory.json"))[run];
        var rows = Golden.Json(TestFiles.Golden("minicpmv4_6/data/llamafactory_rows.json")).EnumerateArray().ToList();
        var used = Enumerable.Range(0, rows.Count).Where(i => !rows[i].TryGetProperty("videos", out _)).ToList();
        Assert.Equal([0, 1, 2, 3, 4, 5, 6], used);
        using var folder = new TempFolder();
        folder.Write("rows.json", new JsonArray([.. used.Select(i => JsonNode.Parse(rows[i].GetRawText()))]).ToJsonString());
        var options = new DataOptions
        {
            Dataset = [Path.Combine(folder.Path, "rows.json")],
            DatasetDir = folder.Path,
            MediaDir = TestFiles.Golden("minicpmv4_6/data"),
            MaskHistory = expected.GetProperty("settings").TryGetProperty("mask_history", out var masked) && masked.GetBoolean(),
            Template = "minicpm_v_4_6",
        };
        var processor = ModelSource.Open(TinyData.Folder).Process(new PreResize());
        var encoder = (processor with { Template = ChatTemplates.Get("minicpm_v_4_6") }).With(options).NewEncoder(options);
        using var data = DatasetLoader.Load(options);
        var samples = expected.GetProperty("samples").EnumerateArray().ToList();
        for (var i = 0; i < used.Count; i++)
        {
            var sample = encoder.Encode(data.Train[i]);
            Assert.Equal(Ints(samples[used[i]], "input_ids"), sample.Ids);
            Assert.Equal(Ints(samples[used[i]], "labels"), sample.Labels);
        }
    }

    [Fact]
    public void Rows_in_the_official_form_are_read_as_the_same_samples()
    {
        using var data = new TinyData();
        using var folder = new TempFolder();
        var images = TestFiles.Golden("minicpmv4_6/data/images");
        folder.Write("rows.json", $$"""
            [
              {"id": "0", "image": "{{images}}/one.png", "conversations": [
                {"role": "user", "content": "<image>Please describe this image"}, {"role": "assistant", "content": "A purple square at the centre."}]},
              {"id": "1", "image": {"<image_00>": "{{images}}/two_0.png", "<image_01>": "{{images}}/two_1.png"}, "conversations": [
                {"role": "user", "content": "First: <image_00> Second: <image_01>\nDo they show the same shape?"},
                {"role": "assistant", "content": "The first shows a circle, the second a square."}]}
            ]
            """);
        var options = new DataOptions { Dataset = [Path.Combine(folder.Path, "rows.json")], DatasetDir = folder.Path };
        using var official = DatasetLoader.Load(options);
        var encoder = data.Processor.NewEncoder(options);
        Assert.Equal(Ints(data.Json("one"), "input_ids"), encoder.Encode(official.Train[0]).Ids);
        Assert.Equal(Ints(data.Json("one"), "labels"), encoder.Encode(official.Train[0]).Labels);
        Assert.Equal(2, encoder.Encode(official.Train[1]).Images.Count);
    }

    [Fact]
    public void Four_times_the_tokens_can_be_asked_for()
    {
        using var data = new TinyData(new MiniCpmV46Options { DownsampleMode = "4x" });
        Assert.Equal(Ints(data.Json("one_4x"), "input_ids"), data.Named("one").Ids);
        Assert.Equal(Ints(data.Json("one_4x"), "labels"), data.Named("one").Labels);
        var error = Assert.Throws<ConfigException>(() => new TinyData(new MiniCpmV46Options { DownsampleMode = "8x" }));
        Assert.Contains("downsample_mode: '8x' is not known; it must be 16x or 4x", error.Message, StringComparison.Ordinal);
    }

    private static int[]? Pair(JsonElement known, string key) => known.GetProperty(key) is { ValueKind: JsonValueKind.Array } pair
        ? [pair[0].GetInt32(), pair[1].GetInt32()]
        : null;

    private static int[] Ints(JsonElement json, string key) => [.. json.GetProperty(key).EnumerateArray().Select(value => value.GetInt32())];
}
