using System.Buffers.Binary;
using System.Text.Json;
using Fovea.Data.Datasets;
using Fovea.Data.Parquet;
using K4os.Compression.LZ4;
using Parquet;
using Parquet.Schema;

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

    [Fact]
    public void Lz4_as_hadoop_frames_it_is_read_and_a_page_that_does_not_fit_is_refused()
    {
        byte[] whole = [.. Enumerable.Range(0, 500).Select(i => (byte)(i / 7))];
        byte[] page = [.. Framed(whole[..300]), .. Framed(whole[300..])];
        Assert.Equal(whole, PageCodec.Decompress(5, page, whole.Length));
        foreach (var codec in (int[])[1, 2, 4, 5, 6, 7])
        {
            Assert.ThrowsAny<Exception>(() => PageCodec.Decompress(codec, page[..90], whole.Length));
        }

        static byte[] Framed(byte[] bytes)
        {
            var packed = new byte[LZ4Codec.MaximumOutputSize(bytes.Length)];
            var length = LZ4Codec.Encode(bytes, packed);
            var frame = new byte[8 + length];
            BinaryPrimitives.WriteInt32BigEndian(frame, bytes.Length);
            BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), length);
            packed.AsSpan(0, length).CopyTo(frame.AsSpan(8));
            return frame;
        }
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("XDG_CACHE_HOME", cache);
        Directory.Delete(folder, recursive: true);
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
