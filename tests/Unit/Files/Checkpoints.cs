using Fovea.Files.Pickle;
using Fovea.Files.Safetensors;
using Fovea.Native;

namespace Fovea.Tests.Unit.Files;

public sealed class Checkpoints : IDisposable
{
    private const string IndexName = "model.safetensors.index.json";

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_file_is_opened_by_its_path_whatever_its_format()
    {
        SafetensorsWriter.Write(folder.File("any.safetensors"), [Samples.Floats("a", 1)]);
        PickleWriter.WriteStateDict(folder.File("any.pth"), [Samples.Floats("a", 2)]);
        File.Copy(folder.File("any.pth"), folder.File("without-ending"));
        foreach (var (name, value) in new[] { ("any.safetensors", 1f), ("any.pth", 2f), ("without-ending", 2f) })
        {
            using var checkpoint = Checkpoint.Open(folder.File(name));
            Assert.Equal([value], checkpoint["a"].Floats());
            Assert.Equal([folder.File(name)], checkpoint.Files);
        }
    }

    [Fact]
    public void A_folder_is_searched_as_Transformers_does()
    {
        PickleWriter.WriteStateDict(folder.File("adapter_model.bin"), [Samples.Floats("a", 1)]);
        Expect(1);
        SafetensorsWriter.Write(folder.File("adapter_model.safetensors"), [Samples.Floats("a", 2)]);
        Expect(2);
        PickleWriter.WriteStateDict(folder.File("part.bin"), [Samples.Floats("a", 3)]);
        folder.Write("pytorch_model.bin.index.json", """{"metadata":{"total_size":4},"weight_map":{"a":"part.bin"}}""");
        Expect(3);
        PickleWriter.WriteStateDict(folder.File("pytorch_model.bin"), [Samples.Floats("a", 4)]);
        Expect(4);
        SafetensorsWriter.Write(folder.File("part.safetensors"), [Samples.Floats("a", 5)]);
        folder.Write(IndexName, """{"weight_map":{"a":"part.safetensors"}}""");
        Expect(5);
        SafetensorsWriter.Write(folder.File("model.safetensors"), [Samples.Floats("a", 6)]);
        Expect(6);
        using var adapter = Checkpoint.OpenAdapter(folder.Path);
        Assert.Equal([2f], adapter["a"].Floats());
    }

    [Fact]
    public void A_folder_without_weights_says_what_was_looked_for_and_what_is_there()
    {
        folder.Write("consolidated.pth", "x");
        var error = Refused(folder.Path);
        Assert.Contains("looked for model.safetensors, model.safetensors.index.json, pytorch_model.bin", error);
        Assert.Contains("there is consolidated.pth", error);
        Assert.Contains("no such file", Refused(folder.File("absent")));
        var adapter = Assert.Throws<CheckpointException>(() => Checkpoint.OpenAdapter(folder.Path));
        Assert.Contains("looked for adapter_model.safetensors, adapter_model.bin", adapter.Message);
    }

    [Fact]
    public void Missing_shards_are_all_named()
    {
        SafetensorsWriter.Write(folder.File("1.safetensors"), [Samples.Floats("a", 1)]);
        folder.Write(IndexName, """{"weight_map":{"a":"1.safetensors","b":"2.safetensors","c":"3.safetensors"}}""");
        Assert.Contains("2 of the 3 files it names are missing: 2.safetensors, 3.safetensors", Refused(folder.Path));
    }

    [Fact]
    public void Tensors_that_the_map_places_wrongly_are_named()
    {
        SafetensorsWriter.Write(folder.File("1.safetensors"), [Samples.Floats("a", 1)]);
        folder.Write(IndexName, """{"weight_map":{"a":"1.safetensors","b":"1.safetensors"}}""");
        var before = RawMemory.Live;
        Assert.Contains("1 tensors are not in the files where the weight_map places them: 'b' in 1.safetensors", Refused(folder.Path));
        Assert.Equal(before, RawMemory.Live);
    }

    [Fact]
    public void Tensors_beside_the_map_are_used_or_ignored_with_a_notice()
    {
        SafetensorsWriter.Write(folder.File("1.safetensors"), [Samples.Floats("a", 1), Samples.Floats("extra", 2)]);
        SafetensorsWriter.Write(folder.File("2.safetensors"), [Samples.Floats("b", 3), Samples.Floats("a", 9)]);
        folder.Write(IndexName, """{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}""");
        using var checkpoint = Checkpoint.Open(folder.Path);
        Assert.Equal([1f], checkpoint["a"].Floats());
        Assert.Equal([2f], checkpoint["extra"].Floats());
        Assert.Equal(2, checkpoint.Notices.Count);
        Assert.Contains("'extra' in 1.safetensors", checkpoint.Notices[0]);
        Assert.Contains("'a' in 2.safetensors", checkpoint.Notices[1]);
    }

    [Theory]
    [InlineData("{", "not valid JSON")]
    [InlineData("[]", "no weight_map")]
    [InlineData("""{"weight_map":[]}""", "no weight_map")]
    [InlineData("""{"weight_map":{"a":1}}""", "tensor 'a': the weight_map gives 1")]
    [InlineData("""{"weight_map":{"a":"../1.safetensors"}}""", "expected the name of a file beside the index")]
    [InlineData("""{"weight_map":{"a":".."}}""", "expected the name of a file beside the index")]
    [InlineData("""{"weight_map":{"a":"x","a":"y"}}""", "gives weight_map.a twice")]
    public void A_malformed_index_is_refused_with_the_reason(string index, string reason)
    {
        folder.Write(IndexName, index);
        Assert.Contains(reason, Refused(folder.Path));
    }

    [Fact]
    public void A_state_dict_inside_a_training_checkpoint_is_found()
    {
        PickleWriter.Write(folder.File("resume.pth"), new Dictionary<string, object?>
        {
            ["model"] = new Dictionary<string, object?> { ["w"] = Samples.Floats("w", 1, 2), ["step"] = 3 },
            ["epoch"] = 3,
        });
        using var checkpoint = Checkpoint.Open(folder.File("resume.pth"));
        Assert.Equal([1f, 2f], checkpoint["w"].Floats());
        Assert.Contains("under 'model'", checkpoint.Notices[0]);
        Assert.Contains("step", checkpoint.Notices[1]);
        PickleWriter.Write(folder.File("none.pth"), new Dictionary<string, object?> { ["epoch"] = 3 });
        Assert.Contains("holds no tensors", Refused(folder.File("none.pth")));
        PickleWriter.Write(folder.File("list.pth"), new List<int> { 3 });
        Assert.Contains("holds no state dict", Refused(folder.File("list.pth")));
    }

    [Theory]
    [InlineData("golden/minimind_a/dense/lm_64.pth", "tok_embeddings.weight", 6400)]
    [InlineData("golden/minimind_c/dense/llm_64.pth", "model.embed_tokens.weight", 6400)]
    public void Published_state_dicts_are_read(string relative, string name, long rows)
    {
        using var checkpoint = Checkpoint.Open(TestFiles.Shared(relative) ?? TestFiles.SkipMissing(relative));
        Assert.Equal([rows, 64], checkpoint[name].Shape);
        Assert.All(checkpoint.Tensors.Values, entry => Assert.True(float.IsFinite(entry.Floats()[0])));
    }

    private void Expect(float value)
    {
        using var checkpoint = Checkpoint.Open(folder.Path);
        Assert.Equal([value], checkpoint["a"].Floats());
    }

    private static string Refused(string path) => Assert.Throws<CheckpointException>(() => Checkpoint.Open(path)).Message;
}
