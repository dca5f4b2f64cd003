using System.Text;
using System.Text.Json.Nodes;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;
using Fovea.Models;
using Fovea.Training.Features;

namespace Fovea.Tests.Unit.Data;

/// <summary>Images that rows hold themselves: data URIs, base64, and objects of path and bytes; and what is said of those that cannot be read.</summary>
public sealed class RowImageTests : IDisposable
{
    private static readonly string Model = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string Picture = TestFiles.Golden("qwen2_5_vl_tiny/data/images/008_0.png");
    private static readonly byte[] Bytes = File.ReadAllBytes(Picture);
    private static readonly string Base64 = Convert.ToBase64String(Bytes);

    private readonly TempFolder folder = new();

    // "%" is the image as JSON.
    private static readonly Dictionary<string, string> Formats = new()
    {
        ["messages"] = """{"messages":[{"role":"user","content":"<image>Q"},{"role":"assistant","content":"A"}],"images":[%]}""",
        ["messages, one"] = """{"messages":[{"role":"user","content":"<image>Q"},{"role":"assistant","content":"A"}],"images":%}""",
        ["sharegpt"] = """{"conversations":[{"from":"human","value":"<image>Q"},{"from":"gpt","value":"A"}],"images":[%]}""",
        ["alpaca"] = """{"instruction":"<image>Q","output":"A","images":[%]}""",
        ["official, one"] = """{"conversations":[{"role":"user","content":"<image>Q"},{"role":"assistant","content":"A"}],"image":%}""",
        ["official, named"] =
            """{"conversations":[{"role":"user","content":"<image_00>Q"},{"role":"assistant","content":"A"}],"image":{"<image_00>":%}}""",
        ["minimind parquet's name"] = """{"conversations":[{"role":"user","content":"<image>Q"},{"role":"assistant","content":"A"}],"image_bytes":%}""",
    };

    public static TheoryData<string, string> Forms()
    {
        string[] forms =
        [
            $"\"data:image/png;base64,{Base64}\"", $"\"DATA:image/png;charset=utf-8;base64,{Base64}\"", $"\"{Base64}\"",
            $"\"{Convert.ToBase64String(Bytes, Base64FormattingOptions.InsertLineBreaks).Replace("\r\n", "\\n")}\"",
            $$"""{"bytes":"{{Base64}}","path":"gone.png"}""", $$"""{"bytes":"data:;base64,{{Base64}}"}""", """{"path":"p.png","bytes":null}""",
            """{"path":"p.png"}""", $$"""{"path":null,"bytes":"{{Base64}}"}""", "\"p.png\"", $$"""{"path":"data:image/png;base64,{{Base64}}"}""",
        ];
        var data = new TheoryData<string, string>();
        foreach (var format in Formats.Keys)
        {
            foreach (var form in forms)
            {
                data.Add(format, form);
            }
        }

        return data;
    }

    public void Dispose() => folder.Dispose();

    [Theory]
    [MemberData(nameof(Forms))]
    public void Every_form_in_every_row_format_is_the_picture_that_a_file_is(string format, string form)
    {
        folder.Write("p.png", Bytes);
        using var data = Load(Formats[format].Replace("%", form));
        var conversation = data.Train[0];
        Assert.Equal(Bytes, Assert.Single(conversation.Images).ReadBytes());
        Assert.Equal(format == "official, named" ? "\n<image>\nQ" : "<image>Q", conversation.Turns()[0].User);
    }

    [Fact]
    public void Samples_batches_and_features_of_bytes_are_those_of_the_file()
    {
        folder.Write("p.png", Bytes);
        var images = new Qwen2VlMedia(Qwen2VlImageProcessor.Load(Model, new PreResize()));
        string[] forms = ["\"p.png\"", $"\"data:image/png;base64,{Base64}\"", $$"""{"bytes":"{{Base64}}","path":null}"""];
        using var data = Load([.. forms.Select(form => Formats["messages"].Replace("%", form))]);
        using var cache = new VisionFeatureCache(1 << 20, () => "model");
        var encoder = new SampleEncoder(ChatTemplates.Qwen2Vl, Fovea.Data.Tokenizers.Tokenizer.Load(Model), images, new DataOptions { Dataset = [] });
        var order = new SampleOrder(new OrderOptions { Samples = 3, Shuffle = false, BatchSize = 1 });
        using var pipeline = new DataPipeline(
            data.Train, encoder, images, order, new PlanOptions(), new PipelineOptions { EndStep = 3, Workers = 2, Features = cache });
        var seen = new List<(string Ids, string Pixels, string Key)>();
        while (pipeline.TryNext(out var step))
        {
            using (step)
            {
                var batch = Assert.Single(step.MicroBatches);
                var (pixels, ticket) = (batch.Pixels.Take(batch.Patches * batch.PatchLength), (ImageTicket)batch.Tickets[0]!);
                seen.Add((string.Join(' ', batch.Ids), string.Join(' ', pixels), ticket.Key));
                Assert.True(cache.IsCurrent(ticket));
            }
        }

        Assert.Equal(3, seen.Count);
        Assert.Single(seen.Distinct());
    }

    [Fact]
    public void Every_family_reads_size_and_patches_from_bytes_as_from_a_file()
    {
        foreach (var model in (string[])["qwen2_5_vl_tiny/model", "minicpm_v26/model", "minicpm_v25/model"])
        {
            var stage = ModelSource.Open(TestFiles.Golden(model)).Process().Images;
            var wide = Directory.GetFiles(TestFiles.Golden("minicpm_v26/data/images")).MaxBy(file => new FileInfo(file).Length)!;
            var (file, bytes) = (MediaSource.FromFile(wide), MediaSource.FromBytes(File.ReadAllBytes(wide), "images[0]"));
            var (read, twin) = (stage.Process(file), stage.Process(bytes));
            Assert.Equal(read.Plan.Parts, twin.Plan.Parts);
            Assert.Equal(read.Parts.Select(part => part.Patches), twin.Parts.Select(part => part.Patches));
        }
    }

    public static TheoryData<string, string> Refusals => new()
    {
        { "\"https://example.org/a.jpg\"", "images[0] is the address https://example.org/a.jpg: nothing is downloaded, save the image as a file" },
        { "\"file:///a.jpg\"", "images[0] is the address file:///a.jpg" },
        { $"\"https://example.org/{new string('a', 100_000)}\"", "images[0] is the address https://example.org/aaa" },
        { "\"data:image/png,rawbytes\"", "images[0] is a data URI, but not of the form data:image/png;base64,..." },
        { "\"data:image/svg+xml;utf8,<svg/>\"", "images[0] is a data URI, but not of the form" },
        { $"\"data:image/png;base64,{Base64[..^3]}\"", "is not valid base64" },
        { $"\"data:image/png;base64,{new string('*', 5_000_000)}\"", "its data URI of 5,000,000 characters is not valid base64" },
        { $"\"{new string('x', 5_000_001)}\"", "images[0] is neither a path nor base64" },
        { "{\"bytes\":[137,80,78,71],\"path\":null}", "images[0].bytes must be text, not a list" },
        { "{\"bytes\":\"not base64!\",\"path\":\"p.png\"}", "images[0]: bytes of 11 characters is not valid base64" },
        { "{\"bytes\":null,\"path\":null}", "images[0] has neither path nor bytes" },
        { "{\"path\":7}", "images[0].path must be text, not a number" },
        { "{\"url\":\"a.png\"}", "images[0] must be text (a path, a data URI or base64) or an object with path or bytes, not an object of url" },
        { "[\"p.png\"]", "not a list" },
        { "null", "not null" },
        { "\"sub\"", "image 'sub' is a folder, not a file" },
        { "\"gone\\nfile.png\"", "image 'gone file.png' does not exist" },
        { $"\"{new string('g', 3000)}.png\"", "does not exist" },
        { "\"\\u0000\"", "does not exist" },
        { "\"\\ud800\"", "holds half a surrogate pair" },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void What_cannot_be_read_is_named_in_one_short_line(string image, string reason)
    {
        folder.Write("sub/x", "x");
        var row = Formats["messages"].Replace("%", image);
        var error = Assert.Throws<ConfigException>(() => Load(row, row));
        Assert.Equal(3, error.Problems.Count);
        Assert.Contains($"row 2: ", error.Problems[1]);
        Assert.All(error.Problems, problem => Assert.InRange(problem.Length, 1, 900));
        Assert.All(error.Problems, problem => Assert.DoesNotContain('\n', problem));
        Assert.Contains(reason, error.Problems[0]);
    }

    [Fact]
    public void Bytes_that_are_no_picture_are_named_by_row_and_field_when_they_are_opened()
    {
        var text = Convert.ToBase64String(Encoding.UTF8.GetBytes(new string('x', 9_000)));
        using var data = Load(Formats["messages"].Replace("%", $"\"{text}\""));
        var images = new Qwen2VlMedia(Qwen2VlImageProcessor.Load(Model, new PreResize()));
        var encoder = new SampleEncoder(ChatTemplates.Qwen2Vl, Fovea.Data.Tokenizers.Tokenizer.Load(Model), images, new DataOptions { Dataset = [] });
        var error = Assert.Throws<BadSampleException>(() => encoder.Encode(data.Train[0]));
        Assert.Contains("row 1: image images[0]: is not a JPEG, PNG, WebP or GIF file", error.Message);
    }

    [Fact]
    public void A_row_holds_images_up_to_a_limit_that_the_message_names()
    {
        var size = ImageValues.MostBytes + 3;
        folder.Write("rows.jsonl", Formats["alpaca"].Replace("%", $"\"data:image/png;base64,{new string('A', size / 3 * 4)}\""));
        var error = Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options()));
        Assert.Contains("images inside rows may have 64 MiB, save it as a file and give its path", error.Problems[0]);
    }

    [Fact]
    public void A_row_with_many_problems_lists_the_first_of_them()
    {
        var row = JsonNode.Parse(Formats["messages"].Replace("%", "\"p.png\""))!;
        row["images"] = new JsonArray([.. Enumerable.Range(0, 1000).Select(i => JsonValue.Create($"gone-{i}.png"))]);
        var error = Assert.Throws<ConfigException>(() => Load(row.ToJsonString()));
        Assert.Contains("'gone-4.png' does not exist", error.Problems[0]);
        Assert.Contains("; and 995 more", error.Problems[0]);
    }

    private LoadedData Load(params string[] rows)
    {
        folder.Write("rows.jsonl", string.Join('\n', rows));
        return DatasetLoader.Load(Options());
    }

    private DataOptions Options() => new() { Dataset = ["rows.jsonl"], DatasetDir = folder.Root };
}
