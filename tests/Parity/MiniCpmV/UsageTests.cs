using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Files.Safetensors;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;
using Fovea.Models.MiniCpmV;
using Fovea.Models.Peft;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Runs.Events;
using Fovea.Training.Config;
using Fovea.Training.Features;
using Fovea.Training.Optim;
using Fovea.Training.Recipes;
using Fovea.Training.Session;

namespace Fovea.Tests.Parity.MiniCpmV;

/// <summary>Runs as users start them on the tiny models, and what can be done with the results.</summary>
public sealed class UsageTests : NativeTest
{
    private static readonly string Base = TestFiles.Golden("minicpm_v26/model");
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-minicpm-").FullName;

    [Fact]
    public void An_adapter_lies_in_the_official_layout_and_loads_from_its_own_folder()
    {
        var output = Train("lora", "use_lora=true", "tune_llm=false", "tune_vision=true", "lora_rank=8", "lora_alpha=16", "lora_target=" + Pattern);
        var names = JsonSerializer.Deserialize<Dictionary<string, long[]>>(File.ReadAllText(TestFiles.Golden("minicpm_v26/adapter_init/names.json")))!;
        using (var saved = Checkpoint.OpenAdapter(output))
        {
            Assert.Equal(names.Keys.Order(StringComparer.Ordinal), saved.Tensors.Keys.Order(StringComparer.Ordinal));
            Assert.All(names, pair => Assert.Equal(pair.Value, saved[pair.Key].Shape));
            Assert.All(saved.Tensors.Values, entry => Assert.Equal(DType.F32, entry.DType));
        }

        var theirs = Golden.Json(TestFiles.Golden("minicpm_v26/adapter_init/adapter_config.json"));
        var ours = Golden.Json(Path.Combine(output, PeftConfig.FileName));
        foreach (var key in (string[])["target_modules", "r", "lora_alpha", "modules_to_save", "task_type", "peft_type", "bias"])
        {
            Assert.True(JsonElement.DeepEquals(theirs.GetProperty(key), ours.GetProperty(key)), key);
        }

        Assert.Equal(Path.GetFullPath(Base), Path.GetFullPath(PeftAdapter.ResolveBase(output)));
        using var model = ModelSource.Open(PeftAdapter.ResolveBase(output)).Load(new ModelOptions());
        PeftAdapter.Attach(model, ModelSource.Open(Base).Family, output, trainable: false);
        var adapted = Losses(model);

        var target = Path.Combine(folder, "merged");
        new ModelExport { Model = Base, Adapters = [output], Target = target }.Run(_ => { });
        using (var merged = Checkpoint.Open(target))
        using (var source = Checkpoint.Open(Base))
        {
            Assert.Equal(source.Tensors.Keys, merged.Tensors.Keys);
        }

        using var exported = ModelSource.Open(target).Load(new ModelOptions());
        Golden.Near("exported", adapted, Losses(exported), 1e-5);
        using var untrained = ModelSource.Open(Base).Load(new ModelOptions());
        Assert.NotEqual(adapted[0], Losses(untrained)[0], 1e-3);
    }

    [Fact]
    public void Packing_and_recomputation_change_nothing_and_a_full_model_loads_back()
    {
        string[] full = ["use_lora=false", "tune_llm=true", "tune_vision=true", "per_device_train_batch_size=2", "learning_rate=1e-4"];
        var plain = Train("plain", [.. full, "micro_batch_tokens=1", "disable_gradient_checkpointing=true"]);
        var packed = Train("packed", [.. full, "micro_batch_tokens=4096", "recompute=always"]);
        using var first = ModelSource.Open(plain).Load(new ModelOptions());
        using var second = ModelSource.Open(packed).Load(new ModelOptions());
        Golden.Near("packed", Losses(first), Losses(second), 2e-4);
        Assert.Equal("minicpmv", Golden.Json(Path.Combine(packed, "config.json")).GetProperty("model_type").GetString());
    }

    [Theory]
    [InlineData("minicpm_v45")]
    [InlineData("minicpm_v26")]
    [InlineData("minicpm_v25")]
    [InlineData("minicpm_v2")]
    public void A_full_model_is_written_in_the_layout_of_the_original(string version)
    {
        var output = Train("whole", ["use_lora=false", "tune_llm=true", "tune_vision=true", "max_steps=1", "template=null", .. Data(version)]);
        var source = TestFiles.Golden($"{version}/model");
        using (var original = Checkpoint.Open(source))
        using (var written = Checkpoint.Open(output))
        {
            Assert.Equal(original.Tensors.Keys.Order(StringComparer.Ordinal), written.Tensors.Keys.Order(StringComparer.Ordinal));
            Assert.All(original.Tensors.Values, entry =>
            {
                Assert.Equal(entry.Shape, written[entry.Name].Shape);
                Assert.Equal(entry.DType, written[entry.Name].DType);
            });
        }

        var (before, after) = (Golden.Json(Path.Combine(source, "config.json")), Golden.Json(Path.Combine(output, "config.json")));
        Assert.All(before.EnumerateObject(), key => Assert.True(JsonElement.DeepEquals(key.Value, after.GetProperty(key.Name)), key.Name));
        Assert.All(
            (string[])["tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"],
            file => Assert.Equal(File.ReadAllBytes(Path.Combine(source, file)), File.ReadAllBytes(Path.Combine(output, file))));
    }

    [Fact]
    public void The_resampler_always_learns_and_frozen_parts_do_not()
    {
        var output = Train("parts", "tune_vision=false", "tune_llm=false");
        using var before = Checkpoint.Open(Base);
        using var after = Checkpoint.Open(output);
        var changed = before.Tensors.Keys.Where(name => !before[name].Span.SequenceEqual(after[name].Span)).ToList();
        Assert.NotEmpty(changed);
        Assert.All(changed, name => Assert.StartsWith("resampler.", name, StringComparison.Ordinal));
    }

    [Fact]
    public void Llama_Factory_s_template_trains_this_family_too()
    {
        var output = Train("template", "template=minicpm_v", "finetuning_type=lora", "lora_target=all");
        var targets = Golden.Json(Path.Combine(output, PeftConfig.FileName)).GetProperty("target_modules").EnumerateArray()
            .Select(t => t.GetString()!).ToList();
        Assert.Equal(14, targets.Count);
        Assert.All(targets, name => Assert.StartsWith("llm.model.layers.", name, StringComparison.Ordinal));
    }

    [Fact]
    public void An_llm_type_that_does_not_fit_the_model_or_the_run_to_be_resumed_is_told_before_the_model_is_loaded()
    {
        string[] lora = ["use_lora=true", "tune_llm=false", "lora_target=" + Pattern, "max_steps=1", "save_strategy=steps", "save_steps=1"];
        var checkpoint = Path.Combine(Train("lora", lora), "checkpoint-1");

        // No weights are here: what is found out first cannot be the model.
        var bare = Directory.CreateDirectory(Path.Combine(folder, "bare")).FullName;
        foreach (var name in (string[])["config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"])
        {
            File.Copy(Path.Combine(Base, name), Path.Combine(bare, name));
        }

        string[] again = [.. lora, $"model_name_or_path={bare}", "max_steps=2", $"resume_from_checkpoint={checkpoint}"];
        Assert.Contains("<|eot_id|>, which llm_type llama3 needs", Assert.Throws<ConfigException>(() => Train("no", [.. again, "llm_type=llama3"])).Message);
        Assert.Contains(
            "made with llm_type qwen, this run has minicpm", Assert.Throws<ConfigException>(() => Train("no", [.. again, "llm_type=minicpm"])).Message);
        Assert.Throws<CheckpointException>(() => Train("no", [.. again, "llm_type=qwen"]));
    }

    [Fact]
    public void Cached_features_of_slices_change_no_loss()
    {
        string[] lora = ["template=minicpm_v", "finetuning_type=lora", "num_train_epochs=2", "max_steps=16", $"vision_cache_dir={folder}/cache"];
        var plain = Train("uncached", [.. lora, "cache_vision_features=false"]);
        var cached = Train("cached", [.. lora, "cache_vision_features=true"]);
        Assert.Equal(File.ReadAllBytes(Path.Combine(plain, "adapter_model.safetensors")), File.ReadAllBytes(Path.Combine(cached, "adapter_model.safetensors")));
        Assert.NotEmpty(Directory.GetFiles(Path.Combine(folder, "cache"), "*", SearchOption.AllDirectories));
    }

    [Theory]
    [InlineData("minicpm_v45")]
    [InlineData("minicpm_v26")]
    [InlineData("minicpm_v2")]
    public void What_a_frozen_tower_made_is_kept_while_the_resampler_learns(string version)
    {
        using var run = new OfficialRun(version);
        using var cache = new VisionFeatureCache(1L << 26);
        double[] Losses(VisionFeatureCache? kept)
        {
            using var model = ModelSource.Open(run.Folder("model")).Load(
                new ModelOptions { Trainable = (part, name) => part == ModelPart.Projector, Device = TestDevice.Device });
            using var optimizer = new AdamW(model.Ledger.Trainable, 0.9, 0.95, 1e-8, 0.1);
            var runner = new StepRunner(model, visionLearns: true, cache: kept);
            var losses = new double[3];
            for (var epoch = 0; epoch < losses.Length; epoch++)
            {
                using var scope = TensorScope.Open("step");
                using var batch = run.Batch(1, 3);
                batch.Tickets = [.. Enumerable.Range(0, batch.Grids.Length).Select(i => new ImageTicket($"{i}", $"{i}", null, default))];
                losses[epoch] = runner.Train(batch, epoch).Loss;
                optimizer.Update(1e-3, 1, CreateOps.On(TestDevice.Device, new[] { (float)losses[epoch] }).View([]));
                if (kept is not null)
                {
                    // Later epochs run no tower.
                    Assert.Equal((batch.Grids.Length, epoch * batch.Grids.Length), (kept.Misses, kept.Hits));
                }
            }

            return losses;
        }

        var (plain, cached) = (Losses(null), Losses(cache));
        Assert.Equal(plain, cached, (a, b) => Math.Abs(a - b) < 1e-5);
        Assert.True(plain[2] < plain[0], string.Join(' ', plain));
    }

    [Fact]
    public void A_run_that_leaves_the_tower_alone_keeps_its_features_on_disk()
    {
        string[] keys = ["tune_vision=false", "tune_llm=false", "learning_rate=1e-3", "max_steps=4", $"vision_cache_dir={folder}/cache"];
        var plain = LossOf(Train("plain", [.. keys, "cache_vision_features=false"]));
        var first = LossOf(Train("first", [.. keys, "cache_vision_features=true"]));
        var again = LossOf(Train("again", [.. keys, "cache_vision_features=true"]));
        Assert.Equal(plain, first, 1e-5);
        Assert.Equal(first, again);
        Assert.NotEmpty(Directory.GetFiles(Path.Combine(folder, "cache"), "*", SearchOption.AllDirectories));
    }

    [Theory]
    [InlineData("minicpm_v45")]
    [InlineData("minicpm_v26")]
    [InlineData("minicpm_v25")]
    [InlineData("minicpm_v2")]
    public void Bf16_comes_near_fp32(string version)
    {
        string[] lora = ["use_lora=true", "tune_llm=false", "learning_rate=1e-4", "template=null", .. Data(version)];
        var (single, half) = (LossOf(Train("fp32", lora)), LossOf(Train("bf16", [.. lora, "bf16=true"])));
        Assert.Equal(single, half, 0.1);
    }

    [Fact]
    public void Weights_for_hearing_and_speaking_are_left_alone_and_written_back()
    {
        var omni = Directory.CreateDirectory(Path.Combine(folder, "omni")).FullName;
        foreach (var file in Directory.GetFiles(Base))
        {
            File.Copy(file, Path.Combine(omni, Path.GetFileName(file)));
        }

        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(omni, "config.json")))!;
        config["model_type"] = "minicpmo";
        File.WriteAllText(Path.Combine(omni, "config.json"), config.ToJsonString());
        byte[] sound = [1, 2, 3, 4, 5, 6, 7, 8];
        var more = new[] { "apm.conv1.weight", "audio_projection_layer.linear1.bias", "tts.emb_text.weight" }
            .Select(name => TensorSource.FromBytes(name, DType.F32, [2], sound));
        using (var source = Checkpoint.Open(Base))
        {
            SafetensorsWriter.Write(Path.Combine(omni, "model.safetensors"), [.. source.Tensors.Values.Select(TensorSource.FromEntry), .. more]);
        }

        var output = Train("omni-out", "tune_vision=false", "tune_llm=false", $"model_name_or_path={omni}");
        using var written = Checkpoint.Open(output);
        string[] others = ["apm.conv1.weight", "audio_projection_layer.linear1.bias", "tts.emb_text.weight"];
        Assert.All(others, name => Assert.True(written[name].Span.SequenceEqual(sound), name));
        Assert.All(others, name => Assert.True(written[name] is { Shape: [2], DType: DType.F32 }, name));

        // And in a model into which an adapter is merged.
        var adapter = Train("omni-lora", "use_lora=true", "tune_llm=false", "lora_rank=4", $"model_name_or_path={omni}");
        var target = Path.Combine(folder, "omni-merged");
        new ModelExport { Model = omni, Adapters = [adapter], Target = target }.Run(_ => { });
        using (var merged = Checkpoint.Open(target))
        {
            Assert.All(others, name => Assert.True(merged[name].Span.SequenceEqual(sound), name));
        }

        Assert.Equal("minicpmo", Golden.Json(Path.Combine(output, "config.json")).GetProperty("model_type").GetString());
        using var model = ModelSource.Open(output).Load(new ModelOptions());
        Assert.False(model.Ledger.Contains("apm.conv1.weight"));
    }

    [Theory]
    [InlineData("minicpm_v45")]
    [InlineData("minicpm_v26")]
    [InlineData("minicpm_v25")]
    [InlineData("minicpm_v2")]
    public void A_chat_with_several_images_goes_on_as_the_whole_prompt_would(string version)
    {
        var processor = MiniCpmVProcessor.Load(ModelSource.Open(TestFiles.Golden($"{version}/model")));
        using var model = ForwardTests.Load(version);
        var builder = new PromptBuilder(processor.Tokenizer, processor.Template, processor.Images);
        using var engine = new GenerationEngine(model);
        var answerer = new Answerer(engine, processor.Tokenizer, builder);
        var session = new ChatSession(answerer, builder);
        var options = new GenerationOptions { DoSample = false, MaxNewTokens = 3 };
        string[] shown = [Image(version, "small.png"), Image(version, "wide.png")];
        var answer = session.Ask("What differs?", shown, options);
        Assert.True(answer.Generation.PromptTokens > 4 * 16); // a whole, another whole, two cells
        session.Ask("And here: <image>?", [Image(version, "sq.png")], options);

        var prompts = new PromptBuilder(processor.Tokenizer, processor.Template, processor.Images);
        var prompt = prompts.Build(
            new([prompts.Question("What differs?", [.. shown.Select(MediaSource.FromFile)])]), [.. shown.Select(path => prompts.Read(path))]);
        Assert.Equal(answer.Generation.PromptTokens, prompt.Ids.Length);
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        long[] ids = [.. prompt.Ids.Select(id => (long)id)];
        var input = model.PreparePrompt(ids, prompt.Images, 0, new PackedAttention(new Segments([0, ids.Length])), out _);
        var logits = model.Hidden(input, model.VisionFeatures(input)).Slice(0, ids.Length - 1, ids.Length).Linear(model.Head.Use()).ToArray<float>();
        Assert.Equal(Array.IndexOf(logits, logits.Max()), answer.Generation.Ids[0]);
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private const string Pattern = @"llm\..*layers\.\d+\.self_attn\.(q_proj|k_proj|v_proj|o_proj)";

    private static string Image(string version, string name) => Path.Combine(OfficialRun.Images(version), name);

    private static float[] Losses(VisionLanguageModel model)
    {
        using var run = new OfficialRun("minicpm_v26");
        using var batch = run.Batch(3);
        return new StepRunner(model, visionLearns: false).Evaluate(batch).TokenLosses;
    }

    private static string[] Data(string version) =>
    [
        $"model_name_or_path={TestFiles.Golden($"{version}/model")}", $"dataset={TestFiles.Golden($"{version}/data")}/train.json",
        $"media_dir={OfficialRun.Images(version)}",
    ];

    private static double LossOf(string output) => Golden.Json(Path.Combine(output, "all_results.json")).GetProperty("train_loss").GetDouble();

    private string Train(string name, params string[] overrides)
    {
        var data = TestFiles.Golden("minicpm_v26/data");
        string[] common =
        [
            $"model_name_or_path={Base}",
            $"{(overrides.Any(o => o.StartsWith("template=", StringComparison.Ordinal)) ? "dataset" : "data_path")}={data}/train.json",
            $"media_dir={data}/images", $"output_dir={Path.Combine(folder, name)}", "max_steps=2",
            "learning_rate=1e-2", "per_device_train_batch_size=1", "logging_steps=1", "save_strategy=no", "use_cpu=true", "lora_dropout=0",
        ];
        SupervisedFineTune.Run(TrainConfig.Parse(string.Empty, "test", [.. common, .. overrides]), Array.Empty<IEventSink>());
        return Path.Combine(folder, name);
    }
}
