using System.Formats.Tar;
using System.Text;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Training.Features;

namespace Fovea.Tests.Unit.Data;

/// <summary>Archives of samples as WebDataset packs them, read without unpacking.</summary>
public sealed class TarTests : IDisposable
{
    private const string Asked = """{"messages":[{"role":"user","content":"<image>What?"},{"role":"assistant","content":"This."}]}""";
    private static readonly string Model = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly string[] Pictures =
        [.. new[] { "008_0.png", "009_0.png", "009_1.png" }.Select(name => TestFiles.Golden($"qwen2_5_vl_tiny/data/images/{name}"))];

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(TarEntryFormat.Ustar)]
    [InlineData(TarEntryFormat.Pax)]
    [InlineData(TarEntryFormat.Gnu)]
    public void Files_of_one_key_are_a_row_and_its_picture_stays_in_the_archive(TarEntryFormat format)
    {
        var deep = $"{new string('d', 60)}/{new string('e', 60)}/0002";
        Write("s.tar", format,
            ("0000.json", Asked), ("0000.png", File.ReadAllBytes(Pictures[0])), ("0001.PNG", File.ReadAllBytes(Pictures[1])), ("0001.txt", "A shape."),
            ($"{(format == TarEntryFormat.Ustar ? "a/0002" : deep)}.cls", "7"), ($"{(format == TarEntryFormat.Ustar ? "a/0002" : deep)}.json",
            """{"instruction":"Q","output":"A"}"""));
        using var data = Load("s.tar");
        Assert.Equal(3, data.Train.Count);
        Assert.Equal([("<image>What?", "This.")], data.Train[0].Turns());
        Assert.Equal(File.ReadAllBytes(Pictures[0]), Assert.Single(data.Train[0].Images).ReadBytes());
        Assert.Equal([("<image>\n", "A shape.")], data.Train[1].Turns());
        Assert.Equal(File.ReadAllBytes(Pictures[1]), Assert.Single(data.Train[1].Images).ReadBytes());
        Assert.Equal("s.tar: 0001.PNG", data.Train[1].Images[0].Name);
        Assert.Empty(data.Train[2].Images);
        Assert.Equal("dataset 's.tar': nothing reads the column 'cls'", Assert.Single(data.Notices));
        Assert.Equal(["s.tar"], Directory.GetFileSystemEntries(folder.Root).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("\"images\":[\"0.left.png\",\"right.png\"]")]
    [InlineData("\"images\":[\"left.png\",\"0.right.png\"]")]
    [InlineData("\"images\":[]")]
    [InlineData("\"id\":null")]
    public void Several_pictures_are_named_by_the_row_or_come_in_the_order_of_the_archive(string field)
    {
        var text = Asked.Replace("<image>", "<image><image>")[..^1] + "," + field + "}";
        Write("s.tar", TarEntryFormat.Pax, ("0.left.png", "left"), ("0.right.png", "right"), ("0.json", text));
        using var data = Load("s.tar");
        Assert.Equal(["left", "right"], data.Train[0].Images.Select(image => Encoding.UTF8.GetString(image.ReadBytes())));
    }

    [Fact]
    public void A_description_names_files_by_their_endings()
    {
        Write("many/1.tar", TarEntryFormat.Pax, ("b.jpg", "picture"), ("b.question.txt", "<image>Q"), ("b.answer.txt", "A"));
        Write("many/0.tar", TarEntryFormat.Pax, ("a.jpg", "other"), ("a.question.txt", "<image>Q"), ("a.answer.txt", "B"));
        folder.Write("dataset_info.json",
            """{"t":{"file_name":"many","columns":{"prompt":"question.txt","response":"answer.txt","images":"jpg"}}}""");
        using var data = Load("t");
        Assert.Equal(["B", "A"], Enumerable.Range(0, 2).Select(i => data.Train[i].Turns()[0].Assistant));
        Assert.Equal("picture", Encoding.UTF8.GetString(data.Train[1].Images.Single().ReadBytes()));
    }

    [Fact]
    public void A_bad_sample_is_named_with_its_key_and_spoils_only_itself()
    {
        Write("s.tar", TarEntryFormat.Pax,
            ("0.json", "{"), ("1.json", "[1]"), ("2.json", """{"instruction":"Q","output":"A"}"""), ("2.txt", "x"), ("2.txt", "y"), ("3.mp4", "v"),
            ("3.txt", "A"), ("4.png", "a"), ("4.jpg", "b"), ("4.txt", "A"), ("5.json", Asked), ("__key__.txt", "no sample"), (".hidden.txt", "no sample"),
            ("README", "no sample"),
            ("6.json", """{"instruction":"Q","output":"A"}"""));
        using var data = DatasetLoader.Load(Options("s.tar") with { OnBadSample = BadSamplePolicy.Skip });
        string[] expected =
        [
            "row 1: 0.json: line 1", "row 2: 1.json is a list, not a JSON object (in sample 1)", "row 3: holds 2 files with the ending .txt (in sample 2)",
            "row 4: has videos, which are not supported", "row 5: the text holds 0 <image> but the row lists 2 image(s) (in sample 4)",
            "row 6: the text holds 1 <image> but the row lists 0 image(s) (in sample 5)",
        ];
        Assert.Equal(expected.Length, data.Rejected.Count);
        Assert.All(expected.Zip(data.Rejected), pair => Assert.Contains(pair.First, pair.Second.ToString()));
        Assert.Equal(1, data.Train.Count);
    }

    [Fact]
    public void Batches_and_features_of_an_archive_are_those_of_files()
    {
        (string, object)[] Files(string path, int i) => [($"{i}.json", Asked), ($"{i}.png", File.ReadAllBytes(path))];
        Write("s.tar", TarEntryFormat.Pax, [.. Pictures.SelectMany(Files)]);
        folder.Write("s.jsonl", string.Join('\n', Pictures.Select(path => Asked[..^1] + $",\"images\":[\"{path}\"]}}")));
        Assert.Equal(Batches("s.jsonl"), Batches("s.tar"));
    }

    public static TheoryData<string, string> Broken => new()
    {
        { "cut in a picture", "is cut off: 0.png goes up to byte" },
        { "cut in a header", "is damaged or cut off behind byte" },
        { "without end", "is cut off: the end mark is missing" },
        { "joined", "more follows its end at byte" },
        { "zip", "is no tar archive, or its beginning is damaged" },
        { "gzip", "is compressed; unpack it to a plain .tar" },
        { "pointer", "is a Git LFS pointer, not the data" },
        { "empty", "is cut off" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void A_broken_archive_is_refused_with_the_place(string how, string reason)
    {
        var path = Write("s.tar", TarEntryFormat.Ustar, ("0.json", Asked), ("0.png", new byte[5000]));
        var whole = File.ReadAllBytes(path);
        var end = 512 + 512 + 512 + 5120;
        folder.Write("s.tar", how switch
        {
            "cut in a picture" => whole[..3000],
            "cut in a header" => whole[..(1024 + 200)],
            "without end" => whole[..end],
            "joined" => [.. whole, .. whole],
            "zip" => [.. "PK\u0003\u0004"u8, .. new byte[2000].Select((_, i) => (byte)(i * 7))],
            "gzip" => [0x1F, 0x8B, .. new byte[1000]],
            "pointer" => "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"u8.ToArray(),
            _ => [],
        });
        var error = Assert.Throws<ConfigException>(() => Load("s.tar"));
        Assert.Contains(Path.Combine(folder.Root, "s.tar"), error.Message);
        Assert.Contains(reason, error.Message);
    }

    private List<string> Batches(string dataset)
    {
        using var data = Load(dataset);
        var media = new Qwen2VlMedia(Qwen2VlImageProcessor.Load(Model));
        using var cache = new VisionFeatureCache(1 << 20, () => "model");
        var encoder = new SampleEncoder(ChatTemplates.Qwen2Vl, Tokenizer.Load(Model), media, new DataOptions { Dataset = [] });
        var order = new SampleOrder(new OrderOptions { Samples = 3, BatchSize = 1 });
        using var pipeline = new DataPipeline(data.Train, encoder, media, order, new PlanOptions(), new PipelineOptions { EndStep = 6, Features = cache });
        var seen = new List<string>();
        while (pipeline.TryNext(out var step))
        {
            using (step)
            {
                var batch = Assert.Single(step.MicroBatches);
                var ticket = (ImageTicket)batch.Tickets[0]!;
                Assert.True(cache.IsCurrent(ticket));
                seen.Add($"{string.Join(' ', batch.Ids)} | {string.Join(' ', batch.Pixels.Take(batch.Patches * batch.PatchLength))} | {ticket.Key}");
            }
        }

        return seen;
    }

    private string Write(string name, TarEntryFormat format, params (string Name, object Content)[] files)
    {
        var path = Path.Combine(folder.Root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var stream = File.Create(path);
        using var writer = new TarWriter(stream, format);
        foreach (var (file, content) in files)
        {
            TarEntry entry = format switch
            {
                TarEntryFormat.Ustar => new UstarTarEntry(TarEntryType.RegularFile, file),
                TarEntryFormat.Gnu => new GnuTarEntry(TarEntryType.RegularFile, file),
                _ => new PaxTarEntry(TarEntryType.RegularFile, file),
            };
            entry.DataStream = new MemoryStream(content as byte[] ?? Encoding.UTF8.GetBytes((string)content));
            writer.WriteEntry(entry);
        }

        return path;
    }

    private LoadedData Load(string name) => DatasetLoader.Load(Options(name));

    private DataOptions Options(string name) => new() { Dataset = [name], DatasetDir = folder.Root };
}
