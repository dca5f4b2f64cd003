using System.Buffers.Binary;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Training.Planning;

namespace Fovea.Tests.Unit.Files;

/// <summary>Opening a model reads no weight before it is used, and loading holds one tensor at most beside those that stay.</summary>
public sealed class StartUpTests : NativeTest
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-start").FullName;

    [Fact]
    public void A_sharded_folder_of_three_billion_weights_opens_in_seconds_and_reads_no_weight()
    {
        File.Copy(TestFiles.Golden("qwen2_5_vl_configs/3b/config.json"), Path.Combine(folder, "config.json"));
        var bytes = WriteSparse(shards: 2);
        Assert.Equal(2 * 3_754_622_976L, bytes);
        var (anonymous, resident) = (ProcessMemory.Anonymous, Resident());
        var watch = Stopwatch.StartNew();
        using var model = ModelSource.Open(folder).Load(new ModelOptions { Compute = DType.BF16 });
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 10);
        Assert.Equal(bytes, 2 * model.Ledger.Count);

        // Every weight is there by its address, none by its bytes: headers and handles take a few megabytes.
        Assert.InRange(ProcessMemory.Anonymous - anonymous, long.MinValue, 64L << 20);
        Assert.InRange(Resident() - resident, long.MinValue, 128L << 20);
    }

    [Theory]
    [InlineData(DType.F32, false)]
    [InlineData(DType.F32, true)]
    [InlineData(DType.BF16, true)]
    internal void Loading_holds_one_tensor_at_most_beside_the_weights_that_stay(DType compute, bool learns)
    {
        File.WriteAllText(Path.Combine(folder, "config.json"), Smaller());
        WriteSparse(shards: 3);
        using var count = MemoryCount.Start();
        using var model = ModelSource.Open(folder).Load(new ModelOptions { Compute = compute, Trainable = (_, _) => learns });
        var largest = model.Ledger.Parameters.Max(p => p.Count * p.Value.DType.Size());
        var stays = count.Live;
        Assert.InRange(stays, model.Ledger.Count * 4, (model.Ledger.Count * 4) + (1 << 20));
        Assert.InRange(count.TakePeak(), stays, stays + largest);
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private static long Resident() => Process.GetCurrentProcess().WorkingSet64;

    private static string Smaller()
    {
        var json = JsonNode.Parse(File.ReadAllText(TestFiles.Golden("qwen2_5_vl_configs/3b/config.json")))!;
        json["num_hidden_layers"] = 2;
        json["intermediate_size"] = 1024;
        json["vocab_size"] = 8192;
        json["vision_config"]!["depth"] = 2;
        return json.ToJsonString();
    }

    /// <summary>Shards with true headers, whose data are holes that take no room on disk.</summary>
    /// <returns>Bytes of all tensors.</returns>
    private long WriteSparse(int shards)
    {
        using var shapes = ModelSource.Open(folder).Build(new MetaSource(), new ModelOptions { Compute = DType.BF16, Device = Device.Meta });
        var (map, total) = (new Dictionary<string, string>(), 0L);
        var perShard = (shapes.Ledger.Parameters.Count + shards - 1) / shards;
        foreach (var (weights, i) in shapes.Ledger.Parameters.Chunk(perShard).Select((chunk, i) => (chunk, i)))
        {
            var name = $"model-{i + 1:00000}-of-{shards:00000}.safetensors";
            var (header, end) = (new Dictionary<string, object>(), 0L);
            foreach (var weight in weights)
            {
                var begin = end;
                end += 2 * weight.Count;
                header[weight.Name] = new { dtype = "BF16", shape = weight.Shape, data_offsets = new[] { begin, end } };
                map[weight.Name] = name;
            }

            var json = JsonSerializer.SerializeToUtf8Bytes(header);
            var length = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
            using var file = File.Create(Path.Combine(folder, name));
            file.Write(length);
            file.Write(json);
            file.SetLength(8 + json.Length + end);
            total += end;
        }

        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), JsonSerializer.Serialize(new { weight_map = map }));
        return total;
    }
}
