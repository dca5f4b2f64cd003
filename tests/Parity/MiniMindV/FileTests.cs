using Fovea.Files.Pickle;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Events;
using Fovea.Runs.Events;
using Fovea.Training.Config;
using Fovea.Training.Recipes;

namespace Fovea.Tests.Parity.MiniMindV;

/// <summary>Files of weights: the project's own read and written, a language model alone, safetensors, and a run that is resumed from them.</summary>
public sealed class FileTests : NativeTest
{
    private readonly string output = Directory.CreateTempSubdirectory("fovea-minimind-files").FullName;
    private MiniMindFolder? folder;

    [Theory]
    [InlineData("a", "dense", "pretrain_vlm_64.pth")]
    [InlineData("a", "moe", "pretrain_vlm_64_moe.pth")]
    [InlineData("c", "dense", "pretrain_vlm_64.pth")]
    [InlineData("c", "moe", "pretrain_vlm_64_moe.pth")]
    public void A_run_writes_the_projects_own_file_in_half_precision_and_reads_it_again(string generation, string kind, string file)
    {
        folder = new MiniMindFolder(generation, kind);
        Run("pretrain", "stage=pretrain", "max_steps=1");
        using (var before = Checkpoint.Open(folder.Weights))
        {
            using var after = Checkpoint.Open(Path.Combine(Out("pretrain"), file));
            Assert.Equal(before.Tensors.Keys.Order(), after.Tensors.Keys.Order());
            foreach (var (name, entry) in after.Tensors)
            {
                Assert.Equal(DType.F16, entry.DType);
                Assert.Equal(before[name].Shape, entry.Shape);
                if (!name.StartsWith("vision_proj.", StringComparison.Ordinal))
                {
                    Assert.Equal(Halves(before[name]), entry.Span.ToArray());
                }
            }
        }

        Run("sft", $"model_name_or_path={Out("pretrain")}", "max_steps=1", "freeze_llm=0");
        Assert.True(File.Exists(Path.Combine(Out("sft"), file.Replace("pretrain", "sft"))));
        using var again = ModelSource.Open(Out("sft")).Load(new ModelOptions());
        Assert.Empty(again.Notices);
    }

    [Fact]
    public void A_language_model_alone_gets_a_new_projector_and_what_is_left_over_is_told()
    {
        folder = new MiniMindFolder("a", "dense");
        var language = Path.Combine(output, "lm_64.pth");
        using (var all = Checkpoint.Open(folder.Weights))
        {
            var extra = new TensorSource("layers.9.odd.weight", DType.F32, [1], stream => stream.Write(new byte[4]));
            PickleWriter.WriteStateDict(language,
                [.. all.Tensors.Values.Where(t => !t.Name.StartsWith("vision_proj.", StringComparison.Ordinal)).Select(TensorSource.FromEntry), extra]);
        }

        Replace("weights", language);
        using var model = folder.Load();
        Assert.Equal(2, model.Notices.Count);
        Assert.Contains("2 weights are in no file and begin afresh: vision_proj.vision_proj.0.bias, vision_proj.vision_proj.0.weight", model.Notices[0]);
        Assert.Contains("model.layers.9.odd.weight", model.Notices[1]);
        var spread = model.Ledger["vision_proj.vision_proj.0.weight"].Value.ToArray<float>();
        Assert.InRange(spread.Max(), 0.1, 0.125);
        Assert.InRange(spread.Min(), -0.125, -0.1);
    }

    [Fact]
    public void A_missing_weight_a_wrong_size_and_a_missing_encoder_are_errors_that_name_the_file()
    {
        folder = new MiniMindFolder("c", "dense");
        Replace("num_hidden_layers", 4);
        var e = Assert.Throws<CheckpointException>(() => folder.Load());
        Assert.Contains("model.layers.3.input_layernorm.weight", e.Message);
        Replace("hidden_size", 128);
        e = Assert.Throws<CheckpointException>(() => folder.Load());
        Assert.StartsWith($"{folder.Weights}: model.embed_tokens.weight: the model expects [6400, 128]", e.Message);
        Replace("vision_model", "elsewhere");
        Assert.Contains("vision_model must be the folder of the vision encoder", Assert.Throws<ConfigException>(() => folder.Load()).Message);
    }

    [Theory]
    [InlineData("a")]
    [InlineData("c")]
    public void An_export_is_safetensors_with_the_encoder_beside_them_and_computes_the_same(string generation)
    {
        folder = new MiniMindFolder(generation, "moe");
        var target = Path.Combine(output, "export");
        new ModelExport { Model = folder.Path, Target = target }.Run(_ => { });
        Assert.True(File.Exists(Path.Combine(target, "model.safetensors")));

        // Again into the same folder, the encoder's included: all of it is the export's own until somebody puts something in.
        new ModelExport { Model = folder.Path, Target = target }.Run(_ => { });
        var encoder = Path.GetRelativePath(target, Directory.GetDirectories(target).Single());
        File.WriteAllText(Path.Combine(target, encoder, "notes.txt"), "mine");
        var error = Assert.Throws<ConfigException>(() => new ModelExport { Model = folder.Path, Target = target }.Run(_ => { }));
        Assert.Contains($"no earlier export ({encoder})", error.Message);
        using var here = folder.Load(new ModelOptions());
        using var there = ModelSource.Open(target).Load(new ModelOptions());
        Assert.Equal(here.Ledger.Parameters.Select(p => p.Name).Order(), there.Ledger.Parameters.Select(p => p.Name).Order());
        foreach (var parameter in here.Ledger.Parameters)
        {
            Assert.Equal(parameter.Value.ToArray<float>(), there.Ledger[parameter.Name].Value.ToArray<float>());
        }
    }

    [Fact]
    public void A_resumed_run_is_bitwise_the_uninterrupted_one()
    {
        folder = new MiniMindFolder("c", "moe");
        string[] keys = ["stage=pretrain", "max_steps=4", "save_strategy=steps", "save_steps=2"];
        var whole = Run("whole", keys);
        using var stop = new CancellationTokenSource();
        Assert.True(SupervisedFineTune.Run(Config("cut", keys), [new StopAfter(2, stop)], stop.Token).Interrupted);
        Assert.Equal(whole[2..], Run("cut", [.. keys, "resume_from_checkpoint=true"]));
        byte[] Result(string run) => File.ReadAllBytes(Path.Combine(Out(run), "pretrain_vlm_64_moe.pth"));
        Assert.Equal(Result("whole"), Result("cut"));
    }

    [Fact]
    public void Features_of_the_frozen_encoder_are_kept_while_the_projector_learns()
    {
        folder = new MiniMindFolder("a", "dense");
        string[] keys = ["stage=pretrain", "num_train_epochs=2"];
        var plain = Run("plain", [.. keys, "cache_vision_features=false"]);
        var kept = Run("kept", [.. keys, "cache_vision_features=true", $"vision_cache_dir={Out("features")}"]);
        Assert.Equal(8, kept.Count);
        Assert.Equal(plain, kept, (a, b) => Math.Abs(a - b) < 1e-5);

        // Another run, with another projector, finds them on disk: bitwise the same as when they were made.
        var again = Run("again", [.. keys, "cache_vision_features=true", $"vision_cache_dir={Out("features")}"]);
        Assert.Equal(kept, again);
        Assert.NotEmpty(Directory.GetFiles(Out("features"), "*", SearchOption.AllDirectories));
    }

    [Theory]
    [InlineData("a", 512, 8, false, 25_829_888, 393_728)]
    [InlineData("a", 768, 16, false, 104_030_976, 590_592)]
    [InlineData("c", 768, 8, false, 63_912_192, 1_182_720)]
    [InlineData("c", 768, 8, true, 198_416_640, 1_182_720)]
    public void Published_sizes_have_the_published_parameter_counts(string generation, int width, int layers, bool moe, long language, long projector)
    {
        var encoder = Path.Combine(output, "encoder");
        Directory.CreateDirectory(encoder);
        File.WriteAllText(Path.Combine(encoder, "config.json"), generation == "a"
            ? """{"model_type": "clip_vision_model", "patch_size": 16}"""
            : """{"model_type": "siglip_vision_model", "patch_size": 32, "image_size": 256}""");
        var keys = generation == "a" ? $"\"dim\": {width}, \"n_layers\": {layers}" : $"\"hidden_size\": {width}, \"num_hidden_layers\": {layers}";
        var experts = moe ? "true" : "false";
        File.WriteAllText(
            Families.ConfigPath(output),
            $$"""{"model_type": "minimind-v", {{keys}}, "use_moe": {{experts}}, "vision_model": "encoder", "weights": "none.pth"}""");
        var source = ModelSource.Open(output);
        using var model = source.Build(new MetaSource(), new ModelOptions { Device = Device.Meta });
        long Count(ModelPart part) => model.Ledger.Parameters.Where(p => source.Family.PartOf(p.Name) == part).Sum(p => p.Count);
        Assert.Equal((language, projector), (Count(ModelPart.Language), Count(ModelPart.Projector)));
    }

    protected override void Cleanup()
    {
        folder?.Dispose();
        Directory.Delete(output, recursive: true);
    }

    private static byte[] Halves(TensorEntry entry)
    {
        var floats = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(entry.Span);
        var halves = new Half[floats.Length];
        for (var i = 0; i < halves.Length; i++)
        {
            halves[i] = (Half)floats[i];
        }

        return System.Runtime.InteropServices.MemoryMarshal.AsBytes(halves.AsSpan()).ToArray();
    }

    private string Out(string name) => Path.Combine(output, name);

    private void Replace(string key, object value)
    {
        var path = Path.Combine(folder!.Path, "config.json");
        var json = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(path))!;
        json[key] = System.Text.Json.JsonSerializer.SerializeToNode(value);
        File.WriteAllText(path, json.ToJsonString());
    }

    private List<double> Run(string name, params string[] overrides)
    {
        var sink = new Losses();
        SupervisedFineTune.Run(Config(name, overrides), [sink]);
        return sink.Seen;
    }

    private TrainConfig Config(string name, params string[] overrides) => TrainConfig.Parse(
        $"""
        model_name_or_path: {folder!.Path}
        finetuning_type: full
        data_path: {folder.Data(folder.IsA ? "train.jsonl" : "train.rows.json")}
        images_path: {folder.Data("images")}
        max_seq_len: 300
        output_dir: {Out(name)}
        per_device_train_batch_size: 2
        learning_rate: 1.0e-3
        logging_steps: 1
        save_strategy: no
        vision_cache_dir: none
        """, "test", overrides);

    private sealed class Losses : IEventSink
    {
        public List<double> Seen { get; } = [];

        public void Write(RunEvent e)
        {
            if (e is StepLogged step)
            {
                Seen.Add(step.Loss!.Value);
            }
        }
    }

    private sealed class StopAfter(int step, CancellationTokenSource stop) : IEventSink
    {
        public void Write(RunEvent e)
        {
            if (e is StepDone done && done.Step == step)
            {
                stop.Cancel();
            }
        }
    }
}
