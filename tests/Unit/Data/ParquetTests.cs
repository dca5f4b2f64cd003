using System.Text.Json;
using Fovea.Data.Datasets;
using Fovea.Data.Parquet;
using Fovea.Data.Tables;
using Parquet;
using Parquet.Schema;
using ParquetSharp;
using ParquetWriter = Parquet.ParquetWriter;

namespace Fovea.Tests.Unit.Data;

/// <summary>Parquet files as pyarrow writes them (tests/goldens/minimind_c/data, with readable twins), and broken ones.</summary>
public sealed class ParquetTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-parquet").FullName;
    private readonly string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");

    public ParquetTests() => Environment.SetEnvironmentVariable("XDG_CACHE_HOME", folder);

    [Theory]
    [InlineData("train")]
    [InlineData("train5")]
    [InlineData("multi")]
    [InlineData("trunc")]
    public void Conversations_and_image_bytes_of_every_row_are_what_was_written(string name)
    {
        var twins = Twins(name);
        using var file = new ParquetFile(Path(name));
        Assert.Equal(twins.Count, file.Rows);
        var (conversations, images) = (file.Read("conversations").ToList(), file.Read("image_bytes").ToList());
        Assert.Equal((twins.Count, twins.Count), (conversations.Count, images.Count));
        for (var i = 0; i < twins.Count; i++)
        {
            using var read = JsonDocument.Parse((string)conversations[i]!);
            Assert.True(JsonElement.DeepEquals(twins[i].GetProperty("conversations"), read.RootElement));
            Assert.Equal(Images(twins[i]).Select(File.ReadAllBytes), Listed(images[i]));
        }
    }

    [Fact]
    public void A_data_set_in_parquet_reads_like_its_twin()
    {
        var options = new DataOptions { Dataset = [Path("multi")] };
        using var data = DatasetLoader.Load(options);
        using var twin = DatasetLoader.Load(options with
        {
            Dataset = [TestFiles.Golden("minimind_c/data/multi.rows.json")], MediaDir = TestFiles.Golden("minimind_c/data/images"),
        });
        Assert.Equal(twin.Train.Count, data.Train.Count);
        for (var i = 0; i < data.Train.Count; i++)
        {
            Assert.Equal(twin.Train[i].Turns(), data.Train[i].Turns());
            Assert.Equal(twin.Train[i].Images.Select(image => image.ReadBytes()), data.Train[i].Images.Select(image => image.ReadBytes()));
        }

        Assert.Single(Directory.GetDirectories(System.IO.Path.Combine(folder, "fovea", "parquet")));
    }

    [Fact]
    public void Many_who_unpack_one_file_at_a_time_find_it_whole()
    {
        using var ready = new Barrier(8);
        var found = new string[8];
        var threads = Enumerable.Range(0, found.Length).Select(i => new Thread(() =>
        {
            ready.SignalAndWait();
            found[i] = TableRows.Unpack(Path("multi"), columns: null);
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        var rows = Assert.Single(found.Distinct());
        var unpacked = System.IO.Path.GetDirectoryName(rows)!;
        Assert.Equal(Twins("multi").Count, File.ReadLines(rows).Count());
        Assert.Equal([unpacked], Directory.GetDirectories(System.IO.Path.GetDirectoryName(unpacked)!));

        // Where locks do not work, who comes second takes what the first has made; other failures remain failures.
        var second = Directory.CreateDirectory($"{unpacked}.2").FullName;
        TableRows.Settle(second, unpacked);
        Assert.Equal(Twins("multi").Count, File.ReadLines(rows).Count());
        File.Delete(rows);
        Assert.ThrowsAny<IOException>(() => TableRows.Settle(second, unpacked));
    }

    [Theory]
    [InlineData(0.2)]
    [InlineData(0.5)]
    [InlineData(0.9)]
    public void A_file_that_is_cut_off_is_named(double part)
    {
        var bytes = File.ReadAllBytes(Path("train5"));
        var cut = System.IO.Path.Combine(folder, "cut.parquet");
        File.WriteAllBytes(cut, bytes[..(int)(bytes.Length * part)]);
        Assert.Contains("cut.parquet: is not a parquet file, or cut off", Assert.Throws<ConfigException>(() => new ParquetFile(cut)).Message);
    }

    [Fact]
    public void Damage_anywhere_is_an_error_or_other_bytes_but_nothing_else()
    {
        var bytes = File.ReadAllBytes(Path("train5"));
        var path = System.IO.Path.Combine(folder, "hurt.parquet");
        var random = new Random(3);
        for (var i = 0; i < 300; i++)
        {
            var hurt = bytes.ToArray();
            var at = i % 2 == 0 ? random.Next(hurt.Length) : hurt.Length - 1 - random.Next(900);
            hurt[at] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(path, hurt);
            try
            {
                using var file = new ParquetFile(path);
                foreach (var name in file.Names.Intersect(["conversations", "image_bytes"]).ToList())
                {
                    Assert.True(file.Read(name).Take(10_000).Count() <= 10_000);
                }
            }
            catch (ConfigException e)
            {
                Assert.Contains("hurt.parquet", e.Message);
            }
        }
    }

    [Theory]
    [InlineData(CompressionMethod.None)]
    [InlineData(CompressionMethod.Snappy)]
    [InlineData(CompressionMethod.Gzip)]
    [InlineData(CompressionMethod.Brotli)]
    [InlineData(CompressionMethod.Zstd)]
    [InlineData(CompressionMethod.LZ4)]
    [InlineData(CompressionMethod.Lz4Raw)]
    public async Task Every_codec_that_another_writer_uses_is_read_over_several_row_groups(CompressionMethod method)
    {
        var path = System.IO.Path.Combine(folder, $"{method}.parquet");
        var schema = new ParquetSchema(new DataField<string>("conversations"), new DataField<byte[]>("image_bytes"));
        string[] texts = [.. Enumerable.Range(0, 60).Select(i => $"[{{\"role\":\"user\",\"content\":\"{new string('é', i)}\"}}]")];
        byte[][] images = [.. Enumerable.Range(0, 60).Select(i => Enumerable.Range(0, 37 * i).Select(k => (byte)(k % (i + 2))).ToArray())];
        await using (var stream = File.Create(path))
        await using (var writer = await ParquetWriter.CreateAsync(schema, stream, new ParquetOptions { CompressionMethod = method }))
        {
            foreach (var range in new[] { 0..25, 25..60 })
            {
                using var group = writer.CreateRowGroup();
                await group.WriteAsync(schema.DataFields[0], texts[range]);
                await group.WriteAsync(schema.DataFields[1], images[range]);
            }
        }

        using var file = new ParquetFile(path);
        Assert.Equal(texts, file.Read("conversations"));
        Assert.Equal(images, file.Read("image_bytes"));
    }

    [Theory]
    [InlineData(Compression.Snappy)]
    [InlineData(Compression.Gzip)]
    [InlineData(Compression.Brotli)]
    [InlineData(Compression.Zstd)]
    [InlineData(Compression.Lz4)]
    [InlineData(Compression.Lz4Hadoop)]
    public void A_page_that_does_not_decompress_is_named_with_its_column_and_row(Compression compression)
    {
        var path = System.IO.Path.Combine(folder, "hurt.parquet");
        int[] numbers = [.. Enumerable.Range(0, 5000).Select(i => i * 7919 % 1000)];
        Write(path, numbers, properties => properties.Compression("n", compression).DisableDictionary("n").DisableStatistics("n"));
        Assert.Equal(numbers.Select(number => (object)(long)number), Values(path));
        var bytes = File.ReadAllBytes(path);
        bytes.AsSpan(30, 170).Fill(0xFF);
        File.WriteAllBytes(path, bytes);
        Assert.Contains("hurt.parquet: column 'n', row 1: a page is damaged", Assert.Throws<ConfigException>(() => Values(path)).Message);
    }

    [Fact]
    public void Encodings_of_newer_writers_are_read_and_both_kinds_of_pages()
    {
        int[] numbers = [.. Enumerable.Range(0, 3000).Select(i => (i * 7919) % 1000)];
        double[] fractions = [.. numbers.Select(number => number / 3.0)];
        string[] texts = [.. numbers.Select(number => $"é{number}")];
        Read(numbers, Encoding.DeltaBinaryPacked, value => (long)value);
        Read(numbers, Encoding.ByteStreamSplit, value => (long)value);
        Read(fractions, Encoding.ByteStreamSplit, value => value);
        Read(texts, Encoding.DeltaLengthByteArray, value => value);
        Read(texts, Encoding.DeltaByteArray, value => value);

        void Read<T>(T[] values, Encoding encoding, Func<T, object> expected)
        {
            var path = System.IO.Path.Combine(folder, "encoded.parquet");
            foreach (var version in (ParquetDataPageVersion[])[ParquetDataPageVersion.V1, ParquetDataPageVersion.V2])
            {
                Write(path, values, properties => properties.DisableDictionary("n").Encoding("n", encoding).DataPageVersion(version));
                Assert.Equal(values.Select(expected), Values(path));
            }
        }
    }

    [Fact]
    [Trait("Category", "Long")]
    public void A_row_group_of_many_pages_takes_the_memory_of_a_few()
    {
        var random = new Random(7);
        var images = new byte[128][];
        for (var i = 0; i < images.Length; i++)
        {
            random.NextBytes(images[i] = new byte[1 << 19]);
        }

        var path = System.IO.Path.Combine(folder, "large.parquet");
        Write(path, images, properties => properties.WriteBatchSize(1));
        Assert.InRange(new FileInfo(path).Length, 64 << 20, 66 << 20);
        Assert.Equal(images, Values(path));
        Assert.InRange(MemoryPool.SystemMemoryPool().MaxMemory, 1 << 19, 12 << 20);
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("XDG_CACHE_HOME", cache);
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>One column, 'n', in one row group.</summary>
    private static void Write<T>(string path, T[] values, Action<WriterPropertiesBuilder> set)
    {
        using var builder = new WriterPropertiesBuilder();
        set(builder);
        using var properties = builder.Build();
        using var writer = new ParquetFileWriter(path, [new Column<T>("n")], properties);
        using var group = writer.AppendRowGroup();
        using var column = group.NextColumn().LogicalWriter<T>();
        column.WriteBatch(values);
        writer.Close();
    }

    private static List<object?> Values(string path)
    {
        using var file = new ParquetFile(path);
        return [.. file.Read("n")];
    }

    private static IEnumerable<byte[]> Listed(object? value) => value switch
    {
        byte[] one => [one],
        List<object?> several => several.Select(item => Assert.IsType<byte[]>(item)),
        _ => [],
    };

    private static string Path(string name) => TestFiles.Golden($"minimind_c/data/{name}.parquet");

    private static List<JsonElement> Twins(string name) =>
        [.. Parity.Golden.Json(TestFiles.Golden($"minimind_c/data/{name}.rows.json")).EnumerateArray()];

    private static IEnumerable<string> Images(JsonElement row) =>
        row.GetProperty("images").EnumerateArray().Select(image => TestFiles.Golden($"minimind_c/data/images/{image.GetString()}"));
}
