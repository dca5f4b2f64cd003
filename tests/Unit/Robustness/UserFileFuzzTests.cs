using System.Text;
using System.Text.Json.Nodes;
using Fovea.Data.Datasets;
using Fovea.Data.Tokenizers;
using Fovea.Files.Safetensors;
using Fovea.Generation;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Runs.Files;
using Fovea.Tests.Unit.Tokenizers;
using Fovea.Training.Config;
using Fovea.Training.Planning;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Robustness;

/// <summary>
/// "This is a fault in Fovea" never comes of a user's file: each kind of file is damaged in hundreds of ways, and what reads it either goes on or
/// ends with an error that names the file.
/// </summary>
public sealed class UserFileFuzzTests : NativeTest
{
    private static readonly string Goldens = Path.Combine(TestFiles.Root, "tests", "goldens");
    private static readonly string Qwen = Path.Combine(Goldens, "qwen2_5_vl_tiny", "model");
    private static readonly IEnumerable<string> Keys = ConfigKeys.All.Select(key => key.Name);

    // FOVEA_FUZZ=20: twenty times as many, and others.
    private static readonly int Times = int.TryParse(Environment.GetEnvironmentVariable("FOVEA_FUZZ"), out var times) ? times : 1;
    internal static readonly int Seed = Times * 1000;
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-fuzz-").FullName;

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_configuration_in_YAML()
    {
        var path = Path.Combine(folder, "run.yaml");
        var yaml = File.ReadAllBytes(Path.Combine(TestFiles.Root, "examples", "qwen2_5vl_lora_sft.yaml"));
        string[] odd =
        [
            "a: &a [*a]", "? [a, b]\n: c\n", "--- a\n--- b\n", "%YAML 9.9\n---\na: 1\n", "seed: !!int x", "{a: {a: {a: [}}}", "seed: 1e400",
            "lr_scheduler_kwargs: {min_lr: 1, \"min_lr\": 2}", "output_dir: \"a\\0b\"", "dataset: \"\\ud83d\"", "- a", "a", "a: b: c", "\ta: 1",
            "a: &a [x, x, x, x, x, x, x, x, x]\n" + string.Concat(Enumerable.Range(0, 9)
                .Select(i => $"{(char)('b' + i)}: &{(char)('b' + i)} [{string.Join(", ", Enumerable.Repeat($"*{(char)('a' + i)}", 9))}]\n")),
        ];
        Fuzz(path, [.. FileMutations.OfBytes(yaml, Count(240), Seed + 1), .. odd.Select(text => (text, Encoding.UTF8.GetBytes(text)))],
            () => TrainConfig.Load(path), ["run.yaml", .. Keys]);
    }

    [Fact]
    public void A_configuration_in_JSON_with_every_key()
    {
        var path = Path.Combine(folder, "run.json");
        var values = TrainConfig.Parse(
            "model_name_or_path: m\ndataset: d\noutput_dir: o\nlr_scheduler_kwargs: {min_lr: 0.1}\nlr_scheduler_type: cosine_with_min_lr", "x").ToDictionary();
        var json = $"{{{string.Join(",\n", values.Select(pair => $"\"{pair.Key}\": {System.Text.Json.JsonSerializer.Serialize(pair.Value)}"))}}}";
        Fuzz(path, Both(json, 500), () => TrainConfig.Load(path), ["run.json", .. Keys]);
    }

    [Fact]
    public void A_DeepSpeed_file()
    {
        var path = Path.Combine(folder, "ds.json");
        var yaml = $"model_name_or_path: m\ndataset: d\noutput_dir: o\nlr_scheduler_type: constant_with_warmup\ndeepspeed: {path}";
        foreach (var name in new[] { "ds_config_zero3.json", "ds_z2_offload_config.json" })
        {
            var json = File.ReadAllText(Path.Combine(Goldens, "deepspeed", name));
            Fuzz(path, Both(json, 250), () => TrainConfig.Parse(yaml, "run.yaml"), "ds.json", "deepspeed", "offload: optimizer needs zero");
        }
    }

    [Fact]
    public void Descriptions_of_data_sets()
    {
        var path = Path.Combine(folder, DatasetCatalog.InfoFile);
        File.Copy(Path.Combine(Goldens, "qwen2_5_vl_tiny", "data", "tiny_shapes.json"), Path.Combine(folder, "tiny_shapes.json"));
        var json = File.ReadAllText(Path.Combine(Goldens, "qwen2_5_vl_tiny", "data", DatasetCatalog.InfoFile));
        Fuzz(path, Both(json, 400), () => Rows("tiny_shapes"), DatasetCatalog.InfoFile, "dataset 'tiny_shapes'");
    }

    [Theory]
    [InlineData("rows.json", "[{\"messages\": [{\"role\": \"user\", \"content\": \"<image>Q\"}, {\"role\": \"assistant\", \"content\": \"A\"}], "
        + "\"images\": [\"1 4 4\"]},\n"
        + "{\"messages\": [{\"role\": \"user\", \"content\": \"é\"}, {\"role\": \"assistant\", \"content\": \"\\u00e9\"}], \"images\": []}]")]
    [InlineData("rows.jsonl", "{\"instruction\": \"a\", \"input\": \"b\", \"output\": \"c\", \"history\": [[\"d\", \"e\"]], \"system\": \"s\"}\n"
        + "{\"instruction\": \"a\", \"input\": \"\", \"output\": \"c\", \"history\": null, \"image\": \"1 4 4\"}\n")]
    [InlineData("rows.jsonl", "{\"conversations\": [{\"from\": \"human\", \"value\": \"<image>\"}, {\"from\": \"gpt\", \"value\": \"c\"}], "
        + "\"image\": {\"<image>\": \"1 4 4\"}}\n")]
    public void Rows_of_data_sets(string name, string rows)
    {
        var path = Path.Combine(folder, name);
        var mutations = rows.StartsWith('[') ? FileMutations.OfJson(rows, Count(150), Seed + 3)
            : FileMutations.OfJson($"[{rows.Trim().Replace("\n", ",")}]", Count(150), Seed + 3)
                .Select(m => (m.What, m.Bytes[0] == '[' ? Lines(m.Bytes) : m.Bytes));
        Fuzz(path, [.. mutations, .. FileMutations.OfBytes(Encoding.UTF8.GetBytes(rows), Count(150), Seed + 4)], () => Rows(name), name, name);

        // A list of rows as lines, as far as it is one.
        static byte[] Lines(byte[] json) => Encoding.Latin1.GetBytes(Encoding.Latin1.GetString(json).Trim('[', ']').Replace("},{", "}\n{"));
    }

    [Fact]
    public void Tables_as_CSV()
    {
        var rows = "instruction,\"input\",output,images\r\n\"a \"\"b\"\", c\",,é,\r\n<image>,\"d\ne\",f,\"[\"\"1 4 4\"\"]\"\n"u8.ToArray();
        Fuzz(Path.Combine(folder, "rows.csv"), [.. FileMutations.OfBytes(rows, Count(400), Seed + 31)], () => Rows("rows.csv"), "rows.csv");
    }

    [Fact]
    public void Archives_of_samples()
    {
        var path = Path.Combine(folder, "rows.tar");
        using (var archive = new System.Formats.Tar.TarWriter(File.Create(path)))
        {
            foreach (var (name, text) in ((string, string)[])[("0.json", """{"instruction": "<image>é", "output": "b"}"""), ("0.png", "x"), ("1.txt", "c")])
            {
                archive.WriteEntry(new System.Formats.Tar.PaxTarEntry(System.Formats.Tar.TarEntryType.RegularFile, name)
                {
                    DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)),
                });
            }
        }

        Fuzz(path, [.. FileMutations.OfBytes(File.ReadAllBytes(path), Count(600), Seed + 32)], () => Rows("rows.tar"), "rows.tar");
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("preprocessor_config.json")]
    [InlineData("tokenizer_config.json")]
    [InlineData("generation_config.json")]
    [InlineData("chat_template.jinja")]
    public void A_file_of_a_Qwen_folder(string name)
    {
        Model(Qwen, Path.Combine(Goldens, "qwen2_5_vl_configs", "7b"));
        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), "{% for m in messages %}é{{ m }}{% endfor %}");
        Folder(name, "seed.yaml");
    }

    [Theory]
    [InlineData("config.json", "minicpm_configs/v26")]
    [InlineData("config.json", "minicpm_configs/v25")]
    [InlineData("config.json", "minicpm_configs/v2")]
    [InlineData("config.json", "minicpm_v4")]
    [InlineData("preprocessor_config.json", "minicpm_configs/v26")]
    [Trait("Category", "Long")]
    public void A_file_of_a_MiniCPM_folder(string name, string config)
    {
        var tokenizer = config.EndsWith("v25", StringComparison.Ordinal) ? "tokenizer/minicpm_v25"
            : config.EndsWith("v2", StringComparison.Ordinal) ? "tokenizer/minicpm_v2"
            : "minicpm_v26/model";
        Model(Path.Combine(Goldens, tokenizer), Path.Combine(Goldens, config));
        File.WriteAllText(Path.Combine(folder, "preprocessor_config.json"), "{\"norm_mean\": [0.5, 0.5, 0.5], \"norm_std\": [0.5, 0.5, 0.5]}");
        Folder(name, "seed.yaml");
    }

    [Theory]
    [InlineData("config.json", "C")]
    [InlineData("config.json", "A")]
    [InlineData("vision/config.json", "C")]
    [InlineData("vision/preprocessor_config.json", "A")]
    [Trait("Category", "Long")]
    public void A_file_of_a_MiniMind_folder(string name, string generation)
    {
        var (golden, encoder, config) = generation == "A"
            ? ("minimind_a", "clip-vit-base-patch16", """
                {"dim": 64, "n_heads": 4, "n_kv_heads": 2, "n_layers": 2, "vocab_size": 6400, "image_ids": [34, 34]
                """)
            : ("minimind_c", "siglip2-base-p32-256-ve", """
                {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2, "intermediate_size": 96, "use_moe": true,
                 "num_experts": 4, "num_experts_per_tok": 1, "rope_theta": 1000000.0, "image_ids": [12]
                """);
        Model(Path.Combine(Goldens, golden, "tokenizer"), null);
        Directory.CreateDirectory(Path.Combine(folder, "vision"));
        foreach (var file in Directory.GetFiles(Path.Combine(Goldens, golden, "vision", encoder), "*.json"))
        {
            File.Copy(file, Path.Combine(folder, "vision", Path.GetFileName(file)));
        }

        File.WriteAllText(Path.Combine(folder, "config.json"), config + """
            , "model_type": "minimind-v", "vision_model": "vision", "weights": "x.pth"}
            """);
        Folder(name, "seed.yaml");
    }

    [Fact]
    public void A_tokenizer()
    {
        var path = Path.Combine(folder, "tokenizer.json");
        var json = TinyTokenizer.Json(
            ["a", "b", "c", "ab", "abc", "é", "</w>"],
            "[\"a b\", [\"ab\", \"c\"]]",
            "{\"unk_token\": \"a\", \"byte_fallback\": false, \"dropout\": null}",
            """
            {"added_tokens": [{"id": 7, "content": "<x>", "special": true, "lstrip": false}],
             "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace", "pattern": {"String": " "}, "content": "_"}]},
             "pre_tokenizer": {"type": "Sequence", "pretokenizers":
               [{"type": "Digits", "individual_digits": true}, {"type": "ByteLevel", "add_prefix_space": false}]},
             "post_processor": {"type": "TemplateProcessing",
               "single": [{"SpecialToken": {"id": "<x>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
               "special_tokens": {"<x>": {"id": "<x>", "ids": [7], "tokens": ["<x>"]}}},
             "decoder": {"type": "Sequence", "decoders": [{"type": "Strip", "content": " ", "start": 1, "stop": 0}, {"type": "ByteLevel"}]}}
            """);
        Fuzz(path, Both(json, 600), () => Tokenizer.Load(folder).Encode("ab c1 <x> é"), "tokenizer.json");
    }

    [Fact]
    public void An_adapter()
    {
        var path = Path.Combine(folder, PeftConfig.FileName);
        var json = File.ReadAllText(Path.Combine(Goldens, "qwen2_5_vl_tiny", "adapter_init", PeftConfig.FileName));
        var yaml = $"model_name_or_path: {Qwen}\nadapter_name_or_path: {folder}\nuse_cpu: true";
        var model = ModelSource.Open(Qwen);
        Fuzz(path, Both(json, 250), () => ModelShapes.Load(TrainConfig.Parse(yaml, "x", use: ConfigUse.Plan), model).Dispose(), PeftConfig.FileName, folder);
    }

    [Fact]
    public void The_states_of_a_checkpoint()
    {
        var state = Path.Combine(folder, TrainerState.FileName);
        var log = new Dictionary<string, object?> { ["loss"] = double.NaN, ["step"] = 1 };
        new TrainerState { GlobalStep = 4, MaxSteps = 10, Epoch = 0.5, LogHistory = [log] }.Save(state);
        Fuzz(state, Both(File.ReadAllText(state).Replace("NaN", "1.5"), 300), () => TrainerState.Load(state), TrainerState.FileName);

        var progress = Path.Combine(folder, "fovea_state.json");
        Fuzz(progress, Both("""
            {"step": 4, "total_steps": 10, "samples": 24, "samples_per_step": 2, "seed": 42, "micro_batch_tokens": 512, "base_model": "m", "llm_type": null,
             "template": "qwen2_vl", "settings": {"lora_rank": "8"}, "scale": {"value": 1024, "good_steps": 3}, "overflows": 1, "tokens": 99,
             "foreign_steps": 0, "loss_sum": 8.5}
            """, 300), () => CheckpointStore.ReadProgress(folder), "fovea_state.json");
    }

    [Fact]
    public void An_index_of_weights()
    {
        var path = Path.Combine(folder, "model.safetensors.index.json");
        Fuzz(path, Both("""{"metadata": {"total_size": 8}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}""", 200),
            () => Checkpoint.Open(folder).Dispose(), "model.safetensors.index.json");
    }

    private static List<(string What, byte[] Bytes)> Both(string json, int count) =>
        [.. FileMutations.OfJson(json, Count(count / 2), Seed + 11), .. FileMutations.OfBytes(Encoding.UTF8.GetBytes(json), Count(count / 4), Seed + 12)];

    /// <summary>Runs every mutation; all that went wrong is reported at once.</summary>
    /// <param name="names">One of these stands in the message of every error.</param>
    internal static void Fuzz(string path, IReadOnlyList<(string What, byte[] Bytes)> mutations, Action read, params string[] names)
    {
        var faults = new List<string>();
        var refused = 0;
        foreach (var (what, bytes) in mutations)
        {
            File.WriteAllBytes(path, bytes);
            try
            {
                read();
            }
            catch (FoveaException e)
            {
                refused++;
                if (!names.Any(name => e.Message.Contains(name, StringComparison.Ordinal)))
                {
                    faults.Add($"{what}: the file is not named: {e.Message}");
                }
            }
            catch (Exception e)
            {
                faults.Add($"{what}: {e.GetType().Name}: {e.Message} {e.StackTrace?.Split('\n')[0].Trim()}");
            }
        }

        Assert.True(faults.Count == 0, $"{faults.Count} of {mutations.Count}:\n{string.Join('\n', faults.Take(40))}");
        Assert.True(refused > mutations.Count / 8, $"only {refused} of {mutations.Count} damaged files were refused");
    }

    internal static int Count(int usual) => usual * Times;

    /// <summary>Every row read as a sample's; a bad row is a reason in a list.</summary>
    private void Rows(string dataset)
    {
        foreach (var spec in DatasetCatalog.Resolve([dataset], folder))
        {
            using var source = new FileRows(spec, new DataOptions { DatasetDir = folder });
            for (var i = 0; i < source.Count; i++)
            {
                var problems = new List<string>();
                Assert.True(source.Read(i, problems) is not null || problems.Count > 0, $"row {i} is neither read nor refused");
                if (problems.Count > 0)
                {
                    throw new ConfigException([.. problems.Select(problem => $"dataset '{dataset}': {problem}")]);
                }
            }
        }
    }

    private void Model(string source, string? config)
    {
        foreach (var file in Directory.GetFiles(source, "*.json").Where(file => Path.GetFileName(file) != "weights.json"))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        if (config is not null)
        {
            // As large as the tokenizer is, and with its ids: what does not fit together is refused without any damage.
            var published = JsonNode.Parse(File.ReadAllText(Path.Combine(config, "config.json")))!;
            var own = Path.Combine(source, "config.json");
            foreach (var key in File.Exists(own) ? (string[])["vocab_size", "image_token_id", "video_token_id", "vision_start_token_id"] : [])
            {
                if (JsonNode.Parse(File.ReadAllText(own))![key] is { } value)
                {
                    published[key] = value.DeepClone();
                }
            }

            File.WriteAllText(Path.Combine(folder, "config.json"), published.ToJsonString());
        }
    }

    /// <summary>What <c>data check</c>, <c>chat</c> and <c>plan</c> read of a model folder.</summary>
    private void Folder(string name, string other)
    {
        var path = Path.Combine(folder, name);
        var config = TrainConfig.Parse($"model_name_or_path: {folder}\nfinetuning_type: full\nuse_cpu: true", other, use: ConfigUse.Plan);
        var bytes = File.ReadAllBytes(path);
        List<(string, byte[])> mutations = name.EndsWith(".json", StringComparison.Ordinal)
            ? [.. FileMutations.OfJson(Encoding.UTF8.GetString(bytes), Count(110), Seed + 21), .. FileMutations.OfBytes(bytes, Count(40), Seed + 22)]
            : [.. FileMutations.OfBytes(bytes, Count(40), Seed + 22)];
        var file = Path.GetFileName(name);
        Fuzz(path, mutations, () =>
        {
            var data = DataSetup.From(config, ModelSource.Open(config.Model.ModelNameOrPath));
            GenerationFile.Read(folder, data.Tokenizer);
            if (file == "config.json")
            {
                PlanRun.Run(config, new MemoryPlanRequest { Ranks = [1], Length = 64 });
            }
        }, file, "which llm_type");
    }
}
