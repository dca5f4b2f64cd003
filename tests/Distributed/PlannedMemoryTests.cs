using System.Globalization;
using System.Text.Json.Nodes;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Saving;
using Fovea.Nn;
using Fovea.Tests.Unit.Robustness;

namespace Fovea.Tests.Distributed;

/// <summary>
/// What <c>fovea plan</c> counts is what ranks take: the highest anonymous memory of each process of a training run on the CPU, watched from outside.
/// </summary>
[Trait("Category", "Long")]
public sealed class PlannedMemoryTests(PlannedMemoryTests.Models models) : NativeTest, IClassFixture<PlannedMemoryTests.Models>
{
    private readonly TinyRun run = new();

    /// <summary>Stages that training has, each with what is trained, on how many ranks.</summary>
    public static TheoryData<int, string, int> Settings => new()
    {
        { 0, "full bf16", 1 },
        { 0, "lora bf16", 1 },
        { 0, "full", 2 },
        { 1, "full", 2 },
        { 2, "full", 2 },
        { 3, "full bf16", 2 },
        { 3, "lora bf16", 2 },
        { 2, "MiniCPM-V full", 2 },
        { 3, "MiniCPM-V lora", 2 },
        { 3, "MiniCPM-V full", 4 },
        { 2, "Qwen3-VL full", 2 },
        { 0, "Qwen3.5 full", 1 },
    };

    [Theory]
    [MemberData(nameof(Settings))]
    public void A_ranks_highest_memory_is_as_planned(int zero, string kind, int ranks)
    {
        var keys = Keys(kind).Concat([$"zero={zero}"]).ToArray();
        var model = IsMiniCpm(kind) ? models.MiniCpm : kind.StartsWith("Qwen3-VL", StringComparison.Ordinal) ? models.Qwen3
            : kind.StartsWith("Qwen3.5", StringComparison.Ordinal) ? models.Qwen35 : models.Qwen;
        var planned = Plan(model, zero, ranks, Tokens(kind), keys);
        var peaks = Train(model, IsMiniCpm(kind), ranks, Tokens(kind), keys);
        TestContext.Current.TestOutputHelper?.WriteLine($"{zero} {kind} {ranks}: {planned >> 20} MiB planned, {string.Join(", ", peaks.Select(p => p >> 20))}");
        Assert.All(peaks, peak => Assert.True(
            Math.Abs(peak - planned) <= 0.1 * peak,
            $"{zero} {kind} {ranks}: planned {planned >> 20} MiB, taken {string.Join(", ", peaks.Select(p => p >> 20))} MiB"));
    }

    protected override void Cleanup() => run.Dispose();

    private static IEnumerable<string> Keys(string kind) =>
    [
        .. kind.Contains("full", StringComparison.Ordinal) ? ["finetuning_type=full", "learning_rate=1e-6"] : new[] { "lora_rank=8" },

        // As the official scripts: the vision side learns too.
        .. !IsMiniCpm(kind) ? [] : kind.Contains("full", StringComparison.Ordinal)
            ? new[] { "freeze_vision_tower=false", "freeze_multi_modal_projector=false", "max_slice_nums=1" }
            : ["additional_target=embed_tokens,resampler,vpm", "max_slice_nums=1"],
        kind.Contains("bf16", StringComparison.Ordinal) ? "bf16=true" : "bf16=false",
        kind.Contains("recompute", StringComparison.Ordinal) ? "recompute=true" : "recompute=false",
    ];

    private long Plan(string model, int zero, int ranks, int tokens, string[] keys)
    {
        var json = Path.Combine(run.Folder, "plan.json");
        var (code, output, errors) = FoveaProcess.Run(
            ["plan", run.Config, $"model_name_or_path={model}", .. keys, "--ranks", $"{ranks}", "--zero", $"{zero}", "--offload", "none", "--length",
                $"{tokens}", "--json", json]);
        Assert.True(code == 0, output + errors);
        TestContext.Current.TestOutputHelper?.WriteLine(output);
        return (long)JsonNode.Parse(File.ReadAllText(json))!["rows"]![0]!["device"]!;
    }

    private List<long> Train(string model, bool official, int ranks, int tokens, string[] keys)
    {
        var data = official ? OfficialRows() : Rows();
        string[] arguments =
        [
            .. run.Train("out"), $"model_name_or_path={model}", .. keys, .. data, "max_steps=2", "save_strategy=no", "max_samples=8",
            $"cutoff_len={tokens}", $"micro_batch_tokens={tokens}", "gradient_accumulation_steps=2", "lr_scheduler_type=constant",
        ];
        var port = RankGroup.FreePort().ToString(CultureInfo.InvariantCulture);
        var processes = Enumerable.Range(0, ranks).Select(rank => FoveaProcess.StartWith(RankGroup.Variables(rank, ranks, port), arguments)).ToList();
        try
        {
            var peaks = new long[ranks];
            processes[0].WaitUntil(() =>
            {
                for (var rank = 0; rank < ranks; rank++)
                {
                    peaks[rank] = Math.Max(peaks[rank], Anonymous(processes[rank].Id));
                }

                // Writing the model at the end is another matter.
                return processes.TrueForAll(p => p.HasExited)
                    || (Directory.Exists(run.Out("out")) && Directory.GetFiles(run.Out("out"), "*.safetensors*").Length > 0);
            });
            Assert.All(processes, p => Assert.True(p.Wait() == 0, p.Output + p.Errors));
            return [.. peaks];
        }
        finally
        {
            processes.ForEach(p => p.Dispose());
        }
    }

    private static bool IsMiniCpm(string kind) => kind.StartsWith("MiniCPM-V", StringComparison.Ordinal);

    /// <summary>A processor without instructions for bf16 takes minutes for products of 128 rows.</summary>
    private static int Tokens(string kind) =>
        !kind.Contains("bf16", StringComparison.Ordinal) ? 128 : kind.Contains("full", StringComparison.Ordinal) ? 16 : 32;

    private static string LongText() => string.Join(' ', Enumerable.Repeat("red square", 400));

    private string[] Rows() => run.Rows(8, rows =>
    {
        foreach (var row in rows)
        {
            row!["images"] = new JsonArray();
            foreach (var message in row["messages"]!.AsArray())
            {
                message!["content"] = LongText();
            }
        }
    });

    /// <summary>An image of one slice and a text that is longer than what is taken of it.</summary>
    private string[] OfficialRows()
    {
        var rows = Enumerable.Range(0, 8).Select(i => new JsonObject
        {
            ["id"] = $"{i}",
            ["image"] = TestFiles.Golden("minicpm_v26/data/images/sq.png"),
            ["conversations"] = new JsonArray(
                new JsonObject { ["role"] = "user", ["content"] = "<image>\nWhat is it?" },
                new JsonObject { ["role"] = "assistant", ["content"] = LongText() }),
        });
        return [$"dataset={run.Write("official.json", new JsonArray([.. rows]).ToJsonString())}", "template="];
    }

    private static long Anonymous(int process)
    {
        try
        {
            var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(text => text.StartsWith("RssAnon:", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line["RssAnon:".Length..].Replace("kB", string.Empty), CultureInfo.InvariantCulture) * 1024;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    /// <summary>The models, drawn once for all settings.</summary>
    public sealed class Models : IDisposable
    {
        private readonly TinyRun run = new();
        private readonly Lazy<string> qwen;
        private readonly Lazy<string> miniCpm;
        private readonly Lazy<string> qwen3;
        private readonly Lazy<string> qwen35;

        public Models()
        {
            qwen = new(() => Widened("qwen", TinyRun.Model, config => config, config =>
            {
                config["vision_config"]!["out_hidden_size"] = 1024;
                config["rope_scaling"]!["mrope_section"] = new JsonArray(16, 24, 24);
            }));
            miniCpm = new(() => Widened("minicpm", TestFiles.Golden("minicpm_v26/model"), config => config, _ => { }));
            qwen3 = new(() => Widened(
                "qwen3", TestFiles.Golden("qwen3_vl/model"), config => config["text_config"]!, config => config["vision_config"]!["out_hidden_size"] = 1024));
            qwen35 = new(() => Widened("qwen35", TestFiles.Golden("qwen3_5/model"), config => config["text_config"]!, config =>
            {
                config["vision_config"]!["out_hidden_size"] = 1024;
                var text = config["text_config"]!.AsObject();
                text.Remove("layer_types");
                (text["linear_num_key_heads"], text["linear_num_value_heads"]) = (8, 16);
                (text["linear_key_head_dim"], text["linear_value_head_dim"]) = (64, 64);
            }));
        }

        /// <summary>Folder of the tiny golden model with a wider and deeper language model: 62 million random weights.</summary>
        public string Qwen => qwen.Value;

        /// <summary>The same of MiniCPM-V-2.6, with a resampler as wide: 75 million.</summary>
        public string MiniCpm => miniCpm.Value;

        /// <summary>The same of Qwen3-VL: 65 million.</summary>
        public string Qwen3 => qwen3.Value;

        /// <summary>The same of Qwen3.5, with a wider recurrence.</summary>
        public string Qwen35 => qwen35.Value;

        public void Dispose() => run.Dispose();

        private string Widened(string name, string source, Func<JsonNode, JsonNode> textOf, Action<JsonNode> change)
        {
            var folder = run.CopyOfModel(name, source);
            var config = JsonNode.Parse(File.ReadAllText(Families.ConfigPath(folder)))!;
            var text = textOf(config);
            (text["hidden_size"], text["intermediate_size"], text["num_hidden_layers"]) = (1024, 2816, 5);
            change(config);
            File.WriteAllText(Families.ConfigPath(folder), config.ToJsonString());
            using var scope = TensorScope.Open("step");
            using var model = ModelSource.Open(folder).Build(new RandomSource(0.02), new ModelOptions());
            var weights = model.Ledger.Parameters.Select(weight => TensorBytes.Source(weight.Name, weight.Value)).ToList();
            SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), weights, SafetensorsWriter.PyTorchMetadata);
            return folder;
        }
    }
}
