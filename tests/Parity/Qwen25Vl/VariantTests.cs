using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Peft;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>
/// Variants of LoRA as whole runs from their configuration, against PEFT's modules and LLaMA-Factory's optimizer (tests/goldens/peft_variants/generate.py):
/// 20 steps of 8 samples in file order.
/// </summary>
public sealed class VariantTests : NativeTest
{
    private const string Weights = "adapter_model.safetensors";
    private static readonly string Start = TestFiles.Golden("qwen2_5_vl_tiny/adapter_init");
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-variants-").FullName;

    [Theory]
    [InlineData("dora", "1e-3")]
    [InlineData("patterns", "1e-3")]
    [InlineData("loraplus", "2e-4", "loraplus_lr_ratio=16", "weight_decay=0.1")]
    [Trait("Category", "Long")]
    public void Losses_and_gradient_norms_of_every_step_agree(string variant, string rate, params string[] keys)
    {
        var golden = Golden.Json(TestFiles.Golden($"peft_variants/{variant}/train.json"));
        var from = variant switch
        {
            "dora" => WithMagnitudes(),
            "patterns" => TestFiles.Golden("peft_variants/patterns/adapter_init"),
            _ => Start,
        };
        var log = Train("out", [$"adapter_name_or_path={from}", $"learning_rate={rate}", "max_steps=20", .. keys]);
        PeftRun.AssertAgrees(golden, log);

        using var saved = Checkpoint.OpenAdapter(Path.Combine(folder, "out"));
        var keysOfTheirs = golden.GetProperty("adapter_final_keys").EnumerateObject().ToDictionary(
            key => key.Name, key => key.Value[1].EnumerateArray().Select(n => n.GetInt64()).ToArray());
        Assert.Equal(keysOfTheirs.Keys.Order(StringComparer.Ordinal), saved.Tensors.Keys.Order(StringComparer.Ordinal));
        Assert.All(saved.Tensors.Values, tensor => Assert.Equal(keysOfTheirs[tensor.Name], tensor.Shape));
    }

    [Fact]
    public void Fresh_magnitudes_begin_with_the_base_s_loss_and_are_the_rows_lengths()
    {
        var log = Train("out", ["use_dora=true", "learning_rate=1e-3", "max_steps=1"]);
        Assert.Equal(8.191881495197928, log[0].Loss, TestDevice.Tolerance(1e-4));

        // The first step of a warm-up changes nothing.
        using var fresh = Checkpoint.OpenAdapter(Path.Combine(folder, "out"));
        using var expected = Checkpoint.OpenAdapter(WithMagnitudes());
        foreach (var name in expected.Tensors.Keys.Where(name => name.EndsWith("lora_magnitude_vector", StringComparison.Ordinal)))
        {
            Golden.Near(name, Floats(expected, name), Floats(fresh, name), 1e-6);
        }

        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "out", PeftConfig.FileName)))!;
        Assert.True((bool)config["use_dora"]!);
    }

    [Theory]
    [InlineData("use_dora=true", "loraplus_lr_ratio=16", "lora_dropout=0.1")]
    [InlineData("use_dora=true", "bf16=true")]
    [InlineData("rank_pattern={\"q_proj\": 4, \"layers.1.mlp.down_proj\": 16}", "alpha_pattern={\"v_proj\": 4}", "exclude_modules=up_proj,gate_proj")]
    [Trait("Category", "Long")]
    public void A_resumed_run_ends_with_the_same_bytes(params string[] keys)
    {
        string[] both = [.. keys, "learning_rate=1e-3", "lr_scheduler_type=constant", "save_steps=2", "save_strategy=steps"];
        Train("whole", [.. both, "max_steps=4"]);
        Train("parts", [.. both, "max_steps=2"]);
        Train("parts", [.. both, "max_steps=4", "resume_from_checkpoint=true"]);
        Assert.Equal(File.ReadAllBytes(Path.Combine(folder, "whole", Weights)), File.ReadAllBytes(Path.Combine(folder, "parts", Weights)));
    }

    [Fact]
    public void A_new_adapter_learns_over_those_that_are_given()
    {
        var given = TestFiles.Golden("qwen2_5_vl_tiny/adapter_final_tokens");
        string[] both = [$"adapter_name_or_path={given}", "learning_rate=1e-3", "max_steps=2"];
        var goesOn = Train("on", both);
        var anew = Train("new", [.. both, "create_new_adapter=true", "lora_rank=2"]);
        Assert.Equal(goesOn[0].Loss, anew[0].Loss, TestDevice.Tolerance(1e-4));
        Assert.NotEqual(8.191881495197928, anew[0].Loss, 1e-2);
        Assert.Equal(2, PeftConfig.Read(Path.Combine(folder, "new")).Lora.Rank);
        Assert.Equal([AdapterBase.IdentityOf(given)], AdapterBase.Read(Path.Combine(folder, "new"))!.Below);
        Assert.Empty(AdapterBase.Read(Path.Combine(folder, "on"))!.Below);
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private static float[] Floats(Checkpoint file, string name)
    {
        using var bytes = new MemoryStream();
        TensorSource.FromEntry(file.Tensors[name]).WriteTo(bytes);
        return MemoryMarshal.Cast<byte, float>(bytes.ToArray()).ToArray();
    }

    private List<(double Loss, double Norm)> Train(string name, string[] keys) => PeftRun.Train(Path.Combine(folder, name), keys);

    /// <summary>The reference's first adapter with magnitudes: DoRA's starts from the same A and B.</summary>
    private string WithMagnitudes()
    {
        var target = Directory.CreateDirectory(Path.Combine(folder, "start")).FullName;
        using var plain = Checkpoint.OpenAdapter(Start);
        using var model = ModelSource.Open(PeftRun.Base).Load(new ModelOptions());
        List<TensorSource> tensors = [.. plain.Tensors.Values.Select(TensorSource.FromEntry)];
        foreach (var name in plain.Tensors.Keys.Where(name => name.EndsWith(".lora_A.weight", StringComparison.Ordinal)))
        {
            var module = name[..^".lora_A.weight".Length];
            var weight = model.Ledger[model.Names.ToLedger(module["base_model.model.".Length..]) + ".weight"];
            var lengths = weight.Value.ToArray<float>().Chunk((int)weight.Shape[1]).Select(row => (float)Math.Sqrt(row.Sum(v => (double)v * v))).ToArray();
            var bytes = MemoryMarshal.AsBytes(lengths.AsSpan()).ToArray();
            tensors.Add(TensorSource.FromBytes($"{module}.lora_magnitude_vector", DType.F32, [lengths.Length], bytes));
        }

        SafetensorsWriter.Write(Path.Combine(target, Weights), tensors);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Start, PeftConfig.FileName)))!.AsObject();
        config["use_dora"] = true;
        File.WriteAllText(Path.Combine(target, PeftConfig.FileName), config.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        return target;
    }
}
