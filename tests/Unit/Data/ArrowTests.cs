using Apache.Arrow;
using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;
using Fovea.Data.Arrow;
using Fovea.Data.Datasets;

namespace Fovea.Tests.Unit.Data;

/// <summary>Arrow files as Hugging Face's datasets saves and caches them, and as others write them.</summary>
public sealed class ArrowTests : IDisposable
{
    private static readonly string Picture = TestFiles.Golden("qwen2_5_vl_tiny/data/images/008_0.png");
    private readonly TempFolder folder = new();
    private readonly string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");

    public ArrowTests() => Environment.SetEnvironmentVariable("XDG_CACHE_HOME", Path.Combine(folder.Root, "cache"));

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("XDG_CACHE_HOME", cache);
        folder.Dispose();
    }

    [Theory]
    [InlineData(false, null)]
    [InlineData(true, null)]
    [InlineData(false, CompressionCodecType.Lz4Frame)]
    [InlineData(true, CompressionCodecType.Zstd)]
    public void Messages_and_images_as_structures_are_read_row_by_row(bool asFile, CompressionCodecType? codec)
    {
        var bytes = File.ReadAllBytes(Picture);
        folder.Write("there.png", bytes);
        Write("t.arrow", asFile, codec, Talks("Q", "<image>Q<image>"), Talks("Q"));
        using var data = DatasetLoader.Load(Options("t.arrow"));
        Assert.Equal(["A0", "A1", "A0"], Enumerable.Range(0, 3).Select(i => data.Train[i].Turns()[^1].Assistant));
        Assert.Equal([0, 2, 0], Enumerable.Range(0, 3).Select(i => data.Train[i].Images.Count));
        Assert.All(data.Train[1].Images, image => Assert.Equal(bytes, image.ReadBytes()));
        Assert.Equal("dataset 't.arrow': nothing reads the column 'id'", Assert.Single(data.Notices));
    }

    [Fact]
    public void Every_kind_of_value_is_read()
    {
        var indices = new Int32Array.Builder().Append(1).Append(0).AppendNull().Build();
        var words = new StringArray.Builder().Append("é").Append("b").Build();
        var number = new Field("n", Int64Type.Default, true);
        IArrowArray[] columns =
        [
            new StringArray.Builder().Append("a").AppendNull().Append(string.Empty).Build(),
            new LargeStringArray.Builder().Append("lang").Append("é").AppendNull().Build(),
            new StringViewArray.Builder().Append("short").Append("a text longer than what a view holds itself").AppendNull().Build(),
            new LargeBinaryArray.Builder().Append([1, 2]).AppendNull().Append(ReadOnlySpan<byte>.Empty).Build(),
            new DictionaryArray(new DictionaryType(Int32Type.Default, StringType.Default, false), indices, words),
            new UInt8Array.Builder().Append(255).AppendNull().Append(0).Build(),
            new DoubleArray.Builder().Append(1.5).Append(double.NaN).AppendNull().Build(),
            new BooleanArray.Builder().Append(true).AppendNull().Append(false).Build(),
            new NullArray(3),
            Lists(new Int64Array.Builder().Append(1).Append(2).Append(3).Build(), [0, 2, 2, 3], Int64Type.Default),
            Lists(
                new StructArray(
                    new StructType([number]), 2, [new Int64Array.Builder().Append(7).AppendNull().Build()], ArrowBuffer.Empty),
                [0, 1, 2, 2], new StructType([number])),
        ];
        object?[][] expected =
        [
            ["a", "lang", "short", new byte[] { 1, 2 }, "b", 255L, 1.5, true, null, new List<object?> { 1L, 2L }, new List<object?> { N(7L) }],
            [
                null, "é", "a text longer than what a view holds itself", null, "é", null, double.NaN, null, null, new List<object?>(),
                new List<object?> { N(null) },
            ],
            [string.Empty, null, null, System.Array.Empty<byte>(), null, 0L, null, false, null, new List<object?> { 3L }, new List<object?>()],
        ];
        foreach (var asFile in new[] { false, true })
        {
            var path = WriteBatches("kinds.arrow", asFile, null, Batch([.. columns.Select((column, i) => ($"c{i}", column))]));
            using var file = new ArrowFile(path);
            Assert.Equal(columns.Length, file.Names.Count());
            Assert.Equal(expected, file.ReadRows([.. file.Names]).Select(row => row.ToArray()));
            Assert.True(file.HoldsBytes("c0"));
            Assert.False(file.HoldsBytes("c5"));
        }

        static List<KeyValuePair<string, object?>> N(long? value) => [new("n", value)];
    }

    [Fact]
    public void What_save_to_disk_wrote_is_read_in_its_own_order()
    {
        Write("saved/data-00001-of-00002.arrow", false, null, Talks("Q"));
        Write("saved/data-00000-of-00002.arrow", false, null, Talks("Q", "Q"));
        folder.Write("saved/dataset_info.json", "{}");
        folder.Write("saved/state.json", """
            {"_data_files": [{"filename": "data-00000-of-00002.arrow"}, {"filename": "data-00001-of-00002.arrow"}], "_fingerprint": "x", "_split": "train"}
            """);
        using (var data = DatasetLoader.Load(Options("saved/")))
        {
            Assert.Equal(3, data.Train.Count);
        }

        Directory.CreateDirectory(folder["splits"]);
        folder.Write("splits/dataset_dict.json", """{"splits": ["train", "test"]}""");
        Directory.Move(folder["saved"], folder["splits/train"]);
        folder.Write("dataset_info.json", """{"d": {"file_name": "splits", "formatting": "openai"}}""");
        using (var data = DatasetLoader.Load(Options("d")))
        {
            Assert.Equal(3, data.Train.Count);
        }

        File.Delete(folder["splits/train/data-00001-of-00002.arrow"]);
        Assert.Contains("lacks data-00001-of-00002.arrow", Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options("splits/"))).Message);
        folder.Write("splits/train/state.json", """{"_data_files": [], "_indices_data_files": [{"filename": "indices.arrow"}]}""");
        Assert.Contains("by a file of indices", Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options("splits/"))).Message);
        folder.Write("splits/dataset_dict.json", """{"splits": ["test"]}""");
        Assert.Contains("has no split 'train', only test", Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options("splits/"))).Message);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_file_that_is_cut_off_anywhere_or_damaged_ends_in_one_message(bool asFile)
    {
        var whole = File.ReadAllBytes(Write("whole.arrow", asFile, null, Talks("Q", "Q"), Talks("Q")));
        for (var length = 0; length < whole.Length; length += 1 + (whole.Length / 60))
        {
            var path = folder.Write($"cut{length}.arrow", whole[..length]);
            var error = Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options(path)));
            Assert.Contains($"cut{length}.arrow", Assert.Single(error.Problems));
        }

        var random = new Random(5);
        for (var i = 0; i < 60; i++)
        {
            var bytes = whole.ToArray();
            bytes[random.Next(8, bytes.Length - 8)] ^= (byte)random.Next(1, 256);
            var path = folder.Write($"damaged{i}.arrow", bytes);
            try
            {
                using var data = DatasetLoader.Load(Options(path) with { OnBadSample = BadSamplePolicy.Skip });
            }
            catch (ConfigException e)
            {
                Assert.NotEmpty(e.Problems);
            }
        }
    }

    [Fact]
    public void A_stream_that_was_never_closed_is_not_taken_for_a_shorter_one()
    {
        var whole = File.ReadAllBytes(Write("whole.arrow", false, null, Talks("Q")));
        var path = folder.Write("open.arrow", whole[..^8]);
        var error = Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options(path)));
        Assert.Contains("cut off: it does not end with the mark of a stream's end", error.Message);
        var text = folder.Write("text.arrow", "instruction,output\n");
        Assert.Contains("is not an Arrow file", Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options(text))).Message);
    }

    [Fact]
    public void A_column_of_times_is_left_alone_and_refused_where_it_is_asked_for()
    {
        var path = WriteBatches("times.arrow", false, null, Batch(
            ("instruction", new StringArray.Builder().Append("Q").Build()),
            ("output", new StringArray.Builder().Append("A").Build()),
            ("when", new Date64Array.Builder().Append(DateTime.UnixEpoch).Build())));
        using (var data = DatasetLoader.Load(Options(path)))
        {
            Assert.Equal(1, data.Train.Count);
        }

        folder.Write("dataset_info.json", """{"d": {"file_name": "times.arrow", "columns": {"prompt": "instruction", "response": "when"}}}""");
        Assert.Contains("column 'when' holds values of a type that is not read (date64)",
            Assert.Throws<ConfigException>(() => DatasetLoader.Load(Options("d"))).Message);
    }

    private static RecordBatch Talks(params string[] questions)
    {
        var turn = new StructType([new Field("role", StringType.Default, true), new Field("content", StringType.Default, true)]);
        var image = new StructType([new Field("bytes", BinaryType.Default, true), new Field("path", StringType.Default, true)]);
        var (roles, texts) = (new StringArray.Builder(), new StringArray.Builder());
        var (bytes, paths) = (new BinaryArray.Builder(), new StringArray.Builder());
        var imageEnds = new List<int> { 0 };
        for (var i = 0; i < questions.Length; i++)
        {
            roles.Append("user").Append("assistant");
            texts.Append(questions[i]).Append($"A{i}");
            if (questions[i].Contains("<image>"))
            {
                bytes.Append(File.ReadAllBytes(Picture)).AppendNull();
                paths.AppendNull().Append("there.png");
            }

            imageEnds.Add(bytes.Length);
        }

        var turns = new StructArray(turn, 2 * questions.Length, [roles.Build(), texts.Build()], ArrowBuffer.Empty);
        var images = new StructArray(image, bytes.Length, [bytes.Build(), paths.Build()], ArrowBuffer.Empty);
        return Batch(
            ("id", new Int64Array.Builder().AppendRange(Enumerable.Range(1, questions.Length).Select(i => (long)i)).Build()),
            ("messages", Lists(turns, [.. Enumerable.Range(0, questions.Length + 1).Select(i => 2 * i)], turn)),
            ("images", Lists(images, [.. imageEnds], image)));
    }

    private static ListArray Lists(IArrowArray values, int[] ends, IArrowType type)
    {
        var offsets = new ArrowBuffer.Builder<int>();
        offsets.AppendRange(ends);
        return new ListArray(new ListType(new Field("item", type, true)), ends.Length - 1, offsets.Build(), values, ArrowBuffer.Empty);
    }

    private static RecordBatch Batch(params (string Name, IArrowArray Values)[] columns)
    {
        var schema = new Schema([.. columns.Select(column => new Field(column.Name, column.Values.Data.DataType, true))], null);
        return new RecordBatch(schema, columns.Select(column => column.Values), columns[0].Values.Length);
    }

    private string Write(string name, bool asFile, CompressionCodecType? codec, params RecordBatch[] batches) => WriteBatches(name, asFile, codec, batches);

    private string WriteBatches(string name, bool asFile, CompressionCodecType? codec, params RecordBatch[] batches)
    {
        var path = folder.File(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var options = new IpcOptions { CompressionCodec = codec, CompressionCodecFactory = new CompressionCodecFactory() };
        using var stream = File.Create(path);
        using var writer = asFile
            ? new ArrowFileWriter(stream, batches[0].Schema, false, options)
            : new ArrowStreamWriter(stream, batches[0].Schema, false, options);
        foreach (var batch in batches)
        {
            writer.WriteRecordBatch(batch);
        }

        writer.WriteEnd();
        return path;
    }

    private DataOptions Options(params string[] names) => new() { Dataset = names, DatasetDir = folder.Root };
}
