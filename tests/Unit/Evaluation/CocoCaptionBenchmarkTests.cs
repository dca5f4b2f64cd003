using Fovea.Evaluation;
using Fovea.Evaluation.Captions;

namespace Fovea.Tests.Evaluation;

/// <summary>Files of captions.</summary>
public sealed class CocoCaptionBenchmarkTests : IDisposable
{
    private readonly TempFolder folder = new();
    private readonly CocoCaptionBenchmark benchmark = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void COCO_s_file_is_read_in_the_order_of_its_images()
    {
        folder.Write("val2014/COCO_val2014_000000000009.jpg", "x");
        folder.Write("val2014/COCO_val2014_000000000004.jpg", "x");
        folder.Write("captions_val2014.json", """
            {"images": [{"id": 9, "file_name": "COCO_val2014_000000000009.jpg"}, {"id": 4, "file_name": "COCO_val2014_000000000004.jpg"},
               {"id": 1, "file_name": "x.jpg"}],
             "annotations": [{"image_id": 4, "id": 1, "caption": "A dog"}, {"image_id": 9, "id": 2, "caption": "A cat"},
               {"image_id": 4, "id": 3, "caption": "Two dogs"}]}
            """);
        var items = benchmark.Read(new BenchmarkInput { Data = folder.Path });
        Assert.Equal(["9", "4"], items.Select(item => item.Id));
        Assert.Equal(["A dog", "Two dogs"], ((CaptionTruth)items[1].Truth!).References);
        Assert.Equal(new Image(MediaSource.FromFile(folder["val2014/COCO_val2014_000000000009.jpg"])), items[0].Turns[0].Parts[0]);
        Assert.Equal(new Text("Provide a one-sentence caption for the provided image."), items[0].Turns[0].Parts[1]);
    }

    [Fact]
    public void Karpathy_s_file_gives_its_test_split()
    {
        var path = folder.Write("dataset_coco.json", """
            {"dataset": "coco", "images": [
              {"filepath": "val2014", "filename": "a.jpg", "imgid": 0, "split": "train", "cocoid": 5, "sentences": [{"raw": "No"}]},
              {"filepath": "val2014", "filename": "b.jpg", "imgid": 1, "split": "test", "cocoid": 6, "sentences": [{"raw": "A cat."}, {"raw": "A black cat"}]}]}
            """);
        var item = Assert.Single(benchmark.Read(new BenchmarkInput { Annotations = path, ScoresOnly = true }));
        Assert.Equal(("6", "A cat. | A black cat"), (item.Id, item.Expected));
    }

    [Fact]
    public void A_table_gives_its_captions_as_a_list_in_text()
    {
        var path = folder.Write("COCO_VAL.tsv", "index\tquestion\tanswer\n3\tDescribe\t['A cat', 'A dog']\n");
        var item = Assert.Single(benchmark.Read(new BenchmarkInput { Data = path, ScoresOnly = true }));
        Assert.Equal(["A cat", "A dog"], ((CaptionTruth)item.Truth!).References);
    }

    [Theory]
    [InlineData("""{"images": [{"id": 1}], "annotations": [{"image_id": 2, "caption": "a"}]}""", "annotations[0]: the image 2 is not in")]
    [InlineData("""{"annotations": [{"image_id": 2, "caption": 4}]}""", "annotations[0].caption must be text")]
    [InlineData("""{"annotations": []}""", "has no captions")]
    [InlineData("""{"images": [{"cocoid": 1, "sentences": [{"tokens": []}]}]}""", "images[0]: sentences[0] has no raw")]
    public void A_bad_file_is_said_with_its_place(string text, string expected)
    {
        var path = folder.Write("a.json", text);
        Assert.Contains(expected, Assert.Throws<ConfigException>(() => benchmark.Read(new BenchmarkInput { Annotations = path, ScoresOnly = true })).Message);
    }

    [Fact]
    public void What_needs_Java_is_named() => Assert.Equal(["METEOR", "SPICE"], benchmark.LeftOut.Select(line => line.Split(':')[0]));
}
