using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using Fovea.Cli;

namespace Fovea.Tests.Unit.Robustness;

/// <summary>What the command line says of input that cannot be used: every problem once, the remedy, the right exit code, and nothing left open.</summary>
public sealed class FailureTests : NativeTest
{
    private readonly TinyRun run = new();

    [Fact]
    public void All_problems_of_a_configuration_are_listed_at_once_with_the_nearest_key()
    {
        var errors = Fails(2, run.Train("out", "lerning_rate=1", "lora_rank=0", "bf16=maybe", "deepspeed=ds.json", "use_llama_pro=true", "max_steps=x"));
        Assert.Equal(6, errors.Length);
        Assert.Contains(errors, e => e.Contains("lerning_rate") && e.Contains("learning_rate?"));
        Assert.Contains(errors, e => e.Contains("lora_rank: 0"));
        Assert.Contains(errors, e => e.Contains("bf16: maybe") && e.Contains("true or false"));
        Assert.Contains(errors, e => e.Contains("deepspeed: ds.json cannot be read"));
        Assert.Contains(errors, e => e.Contains("use_llama_pro") && e.Contains("refused"));
        Assert.False(Directory.Exists(run.Out()));
    }

    [Fact]
    public void A_configuration_that_is_missing_or_not_YAML_is_named()
    {
        Assert.Contains("nothing.yaml", Fails(2, "train", Path.Combine(run.Folder, "nothing.yaml"))[0]);
        Assert.Contains("odd.yaml", Fails(2, "train", run.Write("odd.yaml", "a: [1,\nb: }"))[0]);
    }

    [Theory]
    [InlineData("train")]
    [InlineData("chat")]
    [InlineData("data")]
    public void A_model_folder_that_is_missing_is_named(string verb)
    {
        string[] arguments = verb switch
        {
            "chat" => ["chat", "--model", "/no/such/model", "--prompt", "x"],
            "data" => ["data", "check", run.Config, "model_name_or_path=/no/such/model"],
            _ => run.Train("out", "model_name_or_path=/no/such/model"),
        };
        Assert.Contains("/no/such/model", Assert.Single(Fails(2, arguments)));
        Assert.False(Directory.Exists(run.Out()));
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("tokenizer.json")]
    [InlineData("preprocessor_config.json")]
    [InlineData("model.safetensors")]
    public void A_model_folder_that_lacks_a_file_is_refused_by_the_files_name(string file)
    {
        var model = run.CopyOfModel();
        File.Delete(Path.Combine(model, file));
        var errors = Fails(file.EndsWith(".json", StringComparison.Ordinal) ? 2 : 1, run.Train("out", $"model_name_or_path={model}"));
        Assert.Contains(file, Assert.Single(errors));
    }

    [Fact]
    public void A_shard_that_the_index_names_and_nobody_has_is_named()
    {
        var model = run.CopyOfModel();
        File.Move(Path.Combine(model, "model.safetensors"), Path.Combine(model, "model-00001-of-00002.safetensors"));
        File.WriteAllText(Path.Combine(model, "model.safetensors.index.json"), """
            {"metadata": {}, "weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors", "model.norm.weight": "model-00001-of-00002.safetensors"}}
            """);
        Assert.Contains("model-00002-of-00002.safetensors", Assert.Single(Fails(1, run.Train("out", $"model_name_or_path={model}"))));
    }

    [Fact]
    public void Rows_that_cannot_be_used_are_listed_all_at_once()
    {
        var overrides = run.Rows(8, rows =>
        {
            rows[0]!["messages"]![0]!["role"] = "narrator";
            rows[2]!["messages"]![1]!["content"] = "";
            rows[4]!["messages"]![0]!["content"] = "<image><image>What?";
            rows[6]!["messages"] = new JsonArray();
        });
        var errors = Fails(2, run.Train("out", overrides));
        foreach (var (row, reason) in new[] { (1, "narrator"), (3, "is empty"), (5, "image"), (7, "no messages") })
        {
            Assert.Contains(errors, e => e.Contains($"'rows', row {row}:") && e.Contains(reason) && e.EndsWith("(in rows.json)"));
        }

        Assert.DoesNotContain(errors, e => e.Contains("row 2:"));
        Assert.False(Directory.Exists(run.Out()));
    }

    [Fact]
    public void An_adapter_of_another_base_is_refused_with_both_shapes()
    {
        Succeeds(run.Train("first", "max_steps=1"));
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(run.Out("first"), "adapter_config.json")))!;
        config["r"] = 4;
        File.WriteAllText(Path.Combine(run.Out("first"), "adapter_config.json"), config.ToJsonString());
        var (code, errors) = Invoke(run.Train("out", $"adapter_name_or_path={run.Out("first")}"));
        Assert.Equal(1, code);
        Assert.Contains(run.Out("first"), errors[0]);
        Assert.Contains("[8, 256]", errors[1]);
        Assert.Contains("[4, 256]", errors[1]);
    }

    [Theory]
    [InlineData("adapter_model.safetensors")]
    [InlineData("optimizer.safetensors")]
    [InlineData("trainer_state.json")]
    [InlineData("fovea_state.json")]
    public void A_damaged_checkpoint_is_refused_by_the_name_of_the_file(string file)
    {
        Succeeds(run.Train("out", "max_steps=2"));
        var damaged = Path.Combine(run.Out(), "checkpoint-2", file);
        using (var stream = File.Open(damaged, FileMode.Open))
        {
            stream.SetLength(stream.Length / 2);
        }

        var before = Directory.GetFiles(run.Out(), "*", SearchOption.AllDirectories).ToDictionary(path => path, path => File.GetLastWriteTimeUtc(path));
        var (code, errors) = Invoke(run.Train("out", "max_steps=4", "resume_from_checkpoint=true"));
        Assert.True(code is 1 or 2, $"{code}");
        Assert.Contains(file, string.Join('\n', errors));
        before.Remove(Path.Combine(run.Out(), "running_log.txt"));
        Assert.All(before, file => Assert.Equal(file.Value, File.GetLastWriteTimeUtc(file.Key)));
    }

    [Fact]
    public void An_output_folder_that_cannot_be_written_is_refused_before_any_work()
    {
        Assert.Contains("/proc/fovea/out cannot be written", Assert.Single(Fails(2, run.Train("out", "output_dir=/proc/fovea/out"))));
        Assert.Contains("is a file", Assert.Single(Fails(2, run.Train("out", $"output_dir={run.Config}"))));
    }

    [Fact]
    [SupportedOSPlatform("linux")]
    public void Inputs_that_may_only_be_read_are_enough()
    {
        var model = run.CopyOfModel();
        var overrides = run.Rows(4, _ => { });
        foreach (var file in Directory.GetFiles(model).Concat(Directory.GetFiles(run.Folder)))
        {
            File.SetUnixFileMode(file, UnixFileMode.UserRead);
        }

        Succeeds(run.Train("out", [$"model_name_or_path={model}", "max_steps=1", .. overrides]));
        Assert.Equal(File.ReadAllBytes(Path.Combine(TinyRun.Model, "model.safetensors")), File.ReadAllBytes(Path.Combine(model, "model.safetensors")));
    }

    [Fact]
    public void A_process_that_is_told_of_others_but_not_its_own_rank_is_refused()
    {
        try
        {
            Environment.SetEnvironmentVariable("WORLD_SIZE", "2");
            var errors = Fails(2, run.Train("out"));
            Assert.Contains("WORLD_SIZE is 2 and RANK is not set", Assert.Single(errors));
        }
        finally
        {
            Environment.SetEnvironmentVariable("WORLD_SIZE", null);
        }
    }

    [Fact]
    public void A_target_that_is_nowhere_in_the_model_is_refused()
    {
        Assert.Contains("additional_target", Assert.Single(Fails(2, run.Train("out", "additional_target=lm_haed"))));
        Assert.Contains("lora_target", Assert.Single(Fails(2, run.Train("other", "lora_target=q_porj"))));
    }

    [Fact]
    public void Modules_trained_beside_the_adapter_are_saved_and_resumed()
    {
        string[] keys = ["additional_target=lm_head", "max_steps=4"];
        Succeeds(run.Train("whole", keys));
        Succeeds(run.Train("cut", [.. keys, "save_total_limit=9"]));
        foreach (var later in new[] { "checkpoint-4", "adapter_model.safetensors" })
        {
            var path = Path.Combine(run.Out("cut"), later);
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }
        }

        Succeeds(run.Train("cut", [.. keys, "resume_from_checkpoint=true"]));
        Assert.Equal(run.Losses("whole"), run.Losses("cut"));
        Assert.Equal(run.Adapter("whole"), run.Adapter("cut"));
        using var adapter = Fovea.Files.Safetensors.Checkpoint.OpenAdapter(run.Out("cut"));
        using var model = Fovea.Files.Safetensors.Checkpoint.Open(TinyRun.Model);
        var saved = adapter["base_model.model.lm_head.weight"];
        Assert.Equal(model["lm_head.weight"].Shape, saved.Shape);
        Assert.False(model["lm_head.weight"].Span.SequenceEqual(saved.Span));
        Assert.Contains("lm_head", File.ReadAllText(Path.Combine(run.Out("cut"), "adapter_config.json")));
    }

    protected override void Cleanup() => run.Dispose();

    private static void Succeeds(string[] arguments)
    {
        var (code, errors) = Invoke(arguments);
        Assert.True(code == 0, string.Join('\n', errors));
    }

    private static string[] Fails(int code, params string[] arguments)
    {
        var (actual, errors) = Invoke(arguments);
        Assert.True(code == actual, $"exit code {actual}: {string.Join('\n', errors)}");
        Assert.NotEmpty(errors);
        Assert.All(errors, line => Assert.False(line.StartsWith("   at ", StringComparison.Ordinal), line));
        Assert.DoesNotContain(errors, line => line.Contains("fault in Fovea", StringComparison.Ordinal));
        return [.. errors.Where(line => line.StartsWith("error: ", StringComparison.Ordinal))];
    }

    internal static (int Code, string[] Errors) Invoke(params string[] arguments)
    {
        var (output, errors) = (Console.Out, Console.Error);
        using var heard = new StringWriter();
        try
        {
            Console.SetOut(TextWriter.Null);
            Console.SetError(heard);
            return (Program.Main(arguments), heard.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(errors);
        }
    }
}
