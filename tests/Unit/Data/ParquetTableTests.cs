using System.Text.Json.Serialization;
using Fovea.Data.Datasets;
using Parquet;
using Parquet.Serialization;

namespace Fovea.Tests.Unit.Data;

/// <summary>Tables as Hugging Face's datasets keep them: structures, lists of structures, numbers, and images as bytes and path.</summary>
public sealed class ParquetTableTests : IDisposable
{
    private static readonly string Picture = TestFiles.Golden("qwen2_5_vl_tiny/data/images/008_0.png");
    private readonly TempFolder folder = new();
    private readonly string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");

    public ParquetTableTests() => Environment.SetEnvironmentVariable("XDG_CACHE_HOME", Path.Combine(folder.Root, "cache"));

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("XDG_CACHE_HOME", cache);
        folder.Dispose();
    }

    [Fact]
    public async Task Messages_and_images_as_structures_are_read_row_by_row()
    {
        var bytes = File.ReadAllBytes(Picture);
        folder.Write("there.png", bytes);
        Table[] rows =
        [
            new() { Id = 1, Messages = Talk("Q"), Images = [] },
            new()
            {
                Id = 2, Messages = Talk("<image>Q<image>"), Images = [new() { Bytes = bytes, Path = "x.png" }, new() { Path = "there.png" }], System = "Sé",
            },
            new() { Id = 3, Messages = Talk("Q"), Images = null, Score = 1.5 },
        ];

        var options = new ParquetOptions { ColumnEncodingHints = { ["id"] = EncodingHint.DeltaBinaryPacked, ["image_id"] = EncodingHint.DeltaBinaryPacked } };
        await ParquetSerializer.SerializeAsync(rows, Path.Combine(folder.Root, "t.parquet"), options);
        using var data = DatasetLoader.Load(Options("t.parquet"));
        Assert.Equal([0, 2, 0], Enumerable.Range(0, 3).Select(i => data.Train[i].Images.Count));
        Assert.All(data.Train[1].Images, image => Assert.Equal(bytes, image.ReadBytes()));
        Assert.Equal([null, "Sé", null], Enumerable.Range(0, 3).Select(i => data.Train[i].System()));
        Assert.All(Enumerable.Range(0, 3), i => Assert.Equal("A", Assert.Single(data.Train[i].Turns()).Assistant));
        Assert.Equal("dataset 't.parquet': nothing reads the columns 'id', 'image_id', 'score'", Assert.Single(data.Notices));
    }

    [Fact]
    public async Task One_image_a_row_is_read_also_where_the_first_row_has_none()
    {
        var bytes = File.ReadAllBytes(Picture);
        Single[] rows = [new() { Question = "Q", Answer = "A" }, new() { Question = "Q", Answer = "B", Picture = new() { Bytes = bytes } }];
        await ParquetSerializer.SerializeAsync(rows, Path.Combine(folder.Root, "t.parquet"));
        folder.Write("dataset_info.json", """
            {"d":{"file_name":"t.parquet","columns":{"prompt":"question","response":"answer","images":"picture"}},
             "e":{"file_name":"t.parquet","columns":{"prompt":"question","response":"answer"}}}
            """);
        using var data = DatasetLoader.Load(Options("d") with { OnBadSample = BadSamplePolicy.Skip });
        Assert.Equal("dataset 'd', row 2: the text holds 0 <image> but the row lists 1 image(s) (in t.parquet)", Assert.Single(data.Rejected).ToString());
        rows[1].Question = "<image>Q";
        await ParquetSerializer.SerializeAsync(rows, Path.Combine(folder.Root, "t.parquet"));
        using var read = DatasetLoader.Load(Options("d"));
        Assert.Equal(bytes, Assert.Single(read.Train[1].Images).ReadBytes());
        var error = Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options("e")));
        Assert.Contains("row 2: the field 'picture' holds images, and nothing reads it: write \"images\": \"picture\"", error.Problems[0]);
    }

    [Fact]
    public async Task Objects_as_structures_and_as_text_are_read()
    {
        var bytes = File.ReadAllBytes(Picture);
        Grounded[] rows =
        [
            new()
            {
                Instruction = "<image>Q", Output = "<ref-object><bbox><bbox>", Images = [new() { Bytes = bytes }],
                Objects = new() { Ref = ["a"], Bbox = [[1, 2, 3, 4.5], [5, 6]] },
            },
            new()
            {
                Instruction = "<image>Q", Output = "<bbox>", Images = [new() { Bytes = bytes }],
                Objects = new() { Bbox = [[0, 0.5]], Type = "norm1", Image = [0] },
            },
            new() { Instruction = "Q", Output = "A" },
        ];
        await ParquetSerializer.SerializeAsync(rows, Path.Combine(folder.Root, "t.parquet"));
        using var data = DatasetLoader.Load(Options("t.parquet"));
        Assert.Empty(data.Notices);
        Assert.Equal<Part>([new ObjectName("a"), new ObjectBox(1, 2, 3, 4.5), new ObjectPoint(5, 6)], data.Train[0].Messages[1].Parts);
        Assert.Equal<Part>([new ObjectPoint(0, 0.5) { Unit = CoordinateUnit.Shares }], data.Train[1].Messages[1].Parts);

        GroundedText[] texts = [new() { Instruction = "<image>Q", Output = "<bbox>", Images = [new() { Bytes = bytes }], Objects = "{\"bbox\": [[5, 6]]}" }];
        await ParquetSerializer.SerializeAsync(texts, Path.Combine(folder.Root, "u.parquet"));
        using var text = DatasetLoader.Load(Options("u.parquet"));
        Assert.Equal<Part>([new ObjectPoint(5, 6)], text.Train[0].Messages[1].Parts);
    }

    [Fact]
    public async Task Wrong_types_are_named_by_row_and_column()
    {
        Wrong[] rows = [new() { Instruction = 5, Output = "A" }, new() { Instruction = 6, Output = "B", Images = [7] }];
        await ParquetSerializer.SerializeAsync(rows, Path.Combine(folder.Root, "t.parquet"));
        var error = Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options("t.parquet")));
        Assert.Equal("dataset 't.parquet', row 1: instruction must be text, not a number", error.Problems[0]);
        Assert.Contains("row 2: instruction must be text, not a number; images[0] must be text", error.Problems[1]);
    }

    private static List<Message> Talk(string question) => [new() { Role = "user", Content = question }, new() { Role = "assistant", Content = "A" }];

    private DataOptions Options(string name) => new() { Dataset = [name], DatasetDir = folder.Root };

    private sealed class Message
    {
        [JsonPropertyName("role")]
        public string? Role { get; set; }

        [JsonPropertyName("content")]
        public string? Content { get; set; }
    }

    private sealed class Image
    {
        [JsonPropertyName("bytes")]
        public byte[]? Bytes { get; set; }

        [JsonPropertyName("path")]
        public string? Path { get; set; }
    }

    private sealed class Table
    {
        [JsonPropertyName("id")]
        public int Id { get; set; }

        [JsonPropertyName("image_id")]
        public int ImageId { get; set; }

        [JsonPropertyName("messages")]
        public List<Message>? Messages { get; set; }

        [JsonPropertyName("images")]
        public List<Image>? Images { get; set; }

        [JsonPropertyName("system")]
        public string? System { get; set; }

        [JsonPropertyName("score")]
        public double? Score { get; set; }
    }

    private sealed class Single
    {
        [JsonPropertyName("question")]
        public string? Question { get; set; }

        [JsonPropertyName("answer")]
        public string? Answer { get; set; }

        [JsonPropertyName("picture")]
        public Image? Picture { get; set; }
    }

    private sealed class Grounded
    {
        [JsonPropertyName("instruction")]
        public string? Instruction { get; set; }

        [JsonPropertyName("output")]
        public string? Output { get; set; }

        [JsonPropertyName("images")]
        public List<Image>? Images { get; set; }

        [JsonPropertyName("objects")]
        public Places? Objects { get; set; }
    }

    private sealed class GroundedText
    {
        [JsonPropertyName("instruction")]
        public string? Instruction { get; set; }

        [JsonPropertyName("output")]
        public string? Output { get; set; }

        [JsonPropertyName("images")]
        public List<Image>? Images { get; set; }

        [JsonPropertyName("objects")]
        public string? Objects { get; set; }
    }

    private sealed class Places
    {
        [JsonPropertyName("ref")]
        public List<string>? Ref { get; set; }

        [JsonPropertyName("bbox")]
        public List<List<double>>? Bbox { get; set; }

        [JsonPropertyName("bbox_type")]
        public string? Type { get; set; }

        [JsonPropertyName("image_id")]
        public List<long>? Image { get; set; }
    }

    private sealed class Wrong
    {
        [JsonPropertyName("instruction")]
        public int Instruction { get; set; }

        [JsonPropertyName("output")]
        public string? Output { get; set; }

        [JsonPropertyName("images")]
        public List<int>? Images { get; set; }
    }
}
