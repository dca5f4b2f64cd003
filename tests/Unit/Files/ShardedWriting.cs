using Fovea.Files.Safetensors;

namespace Fovea.Tests.Unit.Files;

public sealed class ShardedWriting : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_model_that_fits_is_one_file_without_an_index()
    {
        Assert.Equal([folder.File("model.safetensors")], ShardedWriter.Write(folder.Path, [Samples.Floats("a", 1), Samples.Floats("b", 2)]));
        Assert.Equal(["model.safetensors"], folder.Names());
    }

    [Fact]
    public void Shards_take_tensors_in_order_and_the_index_says_where_they_are()
    {
        TensorSource[] tensors = [Samples.Floats("z", 1, 2), Samples.Floats("b", 3), Samples.Floats("a", 4, 5), Samples.Floats("c", 6)];
        ShardedWriter.Write(folder.Path, tensors, maxShardBytes: 12);
        Assert.Equal(["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"], folder.Names());
        const string expected = """
            {
              "metadata": {
                "total_parameters": 6,
                "total_size": 24
              },
              "weight_map": {
                "a": "model-00002-of-00002.safetensors",
                "b": "model-00001-of-00002.safetensors",
                "c": "model-00002-of-00002.safetensors",
                "z": "model-00001-of-00002.safetensors"
              }
            }

            """;
        Assert.Equal(expected, File.ReadAllText(folder.File("model.safetensors.index.json")));
        using var checkpoint = Checkpoint.Open(folder.Path);
        Assert.Empty(checkpoint.Notices);
        Assert.Equal([4f, 5f], checkpoint["a"].Floats());
        Assert.Equal([6f], checkpoint["c"].Floats());
        Assert.Equal(4, checkpoint.Tensors.Count);
    }

    [Fact]
    public void A_tensor_above_the_limit_gets_a_shard_of_its_own_and_does_not_close_the_current_one()
    {
        var shards = ShardedWriter.Split([Samples.Floats("a", 1), Samples.Floats("big", 1, 2, 3), Samples.Floats("b", 1), Samples.Floats("c", 1)], 8);
        Assert.Equal(["big", "a b", "c"], shards.Select(s => string.Join(' ', s.Select(t => t.Name))));
    }

    [Fact]
    public void Shard_sizes_of_real_models_are_counted_without_writing_them()
    {
        // 40 tensors of 1 GB: five in a shard of "5GB".
        var tensors = Enumerable.Range(0, 40).Select(i => new TensorSource($"t{i}", DType.BF16, [500_000, 1000], _ => { })).ToArray();
        Assert.All(ShardedWriter.Split(tensors, ShardedWriter.DefaultShardBytes), shard => Assert.Equal(5, shard.Count));
    }

    [Fact]
    public void The_shards_of_an_earlier_model_are_removed_and_other_files_kept()
    {
        TensorSource[] tensors = [Samples.Floats("a", 1), Samples.Floats("b", 2), Samples.Floats("c", 3)];
        folder.Write("model_other.safetensors", "kept");
        ShardedWriter.Write(folder.Path, tensors, maxShardBytes: 4);
        Assert.Equal(5, folder.Names().Length);
        ShardedWriter.Write(folder.Path, tensors, maxShardBytes: 8);
        Assert.Equal(
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "model_other.safetensors"],
            folder.Names());
        ShardedWriter.Write(folder.Path, tensors);
        Assert.Equal(["model.safetensors", "model_other.safetensors"], folder.Names());
        ShardedWriter.Write(folder.Path, tensors, maxShardBytes: 8);
        Assert.Equal(4, folder.Names().Length);
        using var checkpoint = Checkpoint.Open(folder.Path);
        Assert.Equal([3f], checkpoint["c"].Floats());
    }

    [Fact]
    public void A_failure_in_a_later_shard_leaves_the_earlier_model_whole()
    {
        ShardedWriter.Write(folder.Path, [Samples.Floats("a", 1), Samples.Floats("b", 2)], maxShardBytes: 4);
        var before = folder.Names();
        Assert.Throws<CheckpointException>(
            () => ShardedWriter.Write(folder.Path, [Samples.Floats("a", 7), new("b", DType.F32, [1], _ => throw new IOException("full"))], maxShardBytes: 4));
        Assert.Equal(before, folder.Names());
        using var checkpoint = Checkpoint.Open(folder.Path);
        Assert.Equal([1f], checkpoint["a"].Floats());
    }

    [Fact]
    public void A_model_without_tensors_is_an_empty_file()
    {
        ShardedWriter.Write(folder.Path, []);
        using var checkpoint = Checkpoint.Open(folder.Path);
        Assert.Empty(checkpoint.Tensors);
        Assert.Throws<CheckpointException>(() => checkpoint["a"]);
    }
}
