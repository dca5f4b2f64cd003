using System.Text;
using System.Text.Json;
using Fovea.Data.Datasets;
using Fovea.Data.Parquet;

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
            using var read = JsonDocument.Parse(Assert.Single(conversations[i]));
            Assert.True(JsonElement.DeepEquals(twins[i].GetProperty("conversations"), read.RootElement));
            Assert.Equal(Images(twins[i]).Select(File.ReadAllBytes), images[i]);
        }
    }

    [Fact]
    public void A_data_set_in_parquet_reads_like_its_twin()
    {
        var options = new DataOptions { Datasets = [Path("multi")] };
        using var data = DatasetLoader.Load(options);
        using var twin = DatasetLoader.Load(options with
        {
            Datasets = [TestFiles.Golden("minimind_c/data/multi.rows.json")], MediaDir = TestFiles.Golden("minimind_c/data/images"),
        });
        Assert.Equal(twin.Train.Count, data.Train.Count);
        for (var i = 0; i < data.Train.Count; i++)
        {
            Assert.Equal(twin.Train[i].Turns, data.Train[i].Turns);
            Assert.Equal(twin.Train[i].Images.Select(File.ReadAllBytes), data.Train[i].Images.Select(File.ReadAllBytes));
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

    [Fact]
    public void Snappy_copies_may_overlap()
    {
        // 12 bytes: "ab" as a literal, then ten bytes from two back.
        byte[] block = [12, (2 - 1) << 2, (byte)'a', (byte)'b', ((10 - 4) << 2) | 1, 2];
        Assert.Equal("abababababab", Encoding.ASCII.GetString(Snappy.Decompress(block, 12)));
        Assert.Throws<InvalidDataException>(() => Snappy.Decompress(block, 13));
        Assert.Throws<InvalidDataException>(() => Snappy.Decompress([12, 1, 9], 12));
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("XDG_CACHE_HOME", cache);
        Directory.Delete(folder, recursive: true);
    }

    private static string Path(string name) => TestFiles.Golden($"minimind_c/data/{name}.parquet");

    private static List<JsonElement> Twins(string name) =>
        [.. Parity.Golden.Json(TestFiles.Golden($"minimind_c/data/{name}.rows.json")).EnumerateArray()];

    private static IEnumerable<string> Images(JsonElement row) =>
        row.GetProperty("images").EnumerateArray().Select(image => TestFiles.Golden($"minimind_c/data/images/{image.GetString()}"));
}
