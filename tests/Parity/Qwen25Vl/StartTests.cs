using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn.Lora;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>
/// Adapters that begin with a part of the base, as whole runs against PEFT (tests/goldens/peft_variants/generate.py): 20 steps of 8 samples in file order. The
/// signs of singular vectors are free, and neither losses nor AdamW see them.
/// </summary>
public sealed class StartTests : NativeTest
{
    private const string Projection = "layers.0.self_attn.k_proj";
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-start-").FullName;

    [Theory]
    [InlineData("pissa")]
    [InlineData("pissa_niter_4")]
    public void What_is_left_of_the_base_is_PEFT_s(string start)
    {
        using var golden = new Golden(TestFiles.Golden($"peft_variants/{start}/k_proj_0.safetensors"));
        using var model = Begun(start);
        var linear = model.Ledger.Linears.First(linear => linear.Path.EndsWith(Projection, StringComparison.Ordinal));
        using var scope = TensorScope.Open("test");
        golden.Near("residual_k_proj_0", linear.Weight.Value, 2e-6);
    }

    [Theory]
    [InlineData("pissa")]
    [InlineData("pissa_niter_4")]
    [Trait("Category", "Long")]
    public void Losses_and_gradient_norms_of_every_step_agree(string start)
    {
        var golden = Golden.Json(TestFiles.Golden($"peft_variants/{start}/train.json"));
        string[] keys = ["pissa_init=true", "pissa_iter=-1"];
        if (start != "pissa")
        {
            // The same random directions as the reference's.
            using var model = Begun(start);
            PeftAdapter.Save(model, Config(model, start), Path.Combine(folder, "begun"));
            keys = [$"adapter_name_or_path={Path.Combine(folder, "begun")}"];
        }

        var log = Train("out", [.. keys, "max_steps=20", "pissa_convert=true"]);
        PeftRun.AssertAgrees(golden, log);

        var converted = PeftConfig.Read(Path.Combine(folder, "out", "pissa_converted"));
        var theirs = golden.GetProperty("converted");
        Assert.Equal((theirs.GetProperty("r").GetInt32(), theirs.GetProperty("lora_alpha").GetDouble()), (converted.Lora.Rank, converted.Lora.Alpha));
        Assert.Equal(LoraStart.Plain, converted.Lora.Start);
        Assert.Equal(start, PeftConfig.Read(Path.Combine(folder, "out")).Lora.Start.Name);
    }

    [Theory]
    [InlineData("pissa_init=true", "pissa_iter=2")]
    [InlineData("init_weights=olora", "use_dora=true")]
    [InlineData("init_weights=pissa", "bf16=true")]
    [InlineData("pissa_init=true", "pissa_iter=1", "pure_bf16=true")]
    public void A_resumed_run_ends_with_the_same_bytes(params string[] keys)
    {
        string[] both = [.. keys, "lr_scheduler_type=constant", "save_steps=1", "save_strategy=steps"];
        Train("whole", [.. both, "max_steps=2"]);
        Train("parts", [.. both, "max_steps=1"]);
        Train("parts", [.. both, "max_steps=2", "resume_from_checkpoint=true"]);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(folder, "whole"), PeftAdapter.WeightsName, SearchOption.AllDirectories))
        {
            var other = Path.Combine(folder, "parts", Path.GetRelativePath(Path.Combine(folder, "whole"), file));
            Assert.True(File.ReadAllBytes(file).AsSpan().SequenceEqual(File.ReadAllBytes(other)), other);
        }
    }

    [Fact]
    public void Converted_or_not_over_the_base_it_is_the_trained_model_and_other_adapters_learn_over_it()
    {
        var log = Train("out", ["pissa_init=true", "pissa_iter=3", "pissa_convert=true", "lr_scheduler_type=constant", "warmup_ratio=0", "max_steps=3"]);
        Assert.True(log[2].Loss < log[0].Loss);
        string[] one = ["max_steps=1", "create_new_adapter=true"];
        var own = Train("own", [.. one, $"adapter_name_or_path={Path.Combine(folder, "out")}"])[0].Loss;
        var converted = Train("converted", [.. one, $"adapter_name_or_path={Path.Combine(folder, "out", "pissa_converted")}"])[0].Loss;
        Assert.Equal(own, converted, TestDevice.Tolerance(1e-5));
        Assert.True(own < log[2].Loss);

        // Going on with either begins with that loss too; a second PiSSA takes its part out of the merged base.
        string[] on = ["max_steps=1"];
        Assert.Equal(own, Train("on", [.. on, $"adapter_name_or_path={Path.Combine(folder, "out")}"])[0].Loss, TestDevice.Tolerance(1e-5));
        var second = Train("second", [.. one, "init_weights=pissa", $"adapter_name_or_path={Path.Combine(folder, "out")}"])[0].Loss;
        Assert.Equal(own, second, TestDevice.Tolerance(1e-5));
        var both = $"adapter_name_or_path={Path.Combine(folder, "out")},{Path.Combine(folder, "second")}";
        Assert.Equal(own, Train("both", [.. on, both])[0].Loss, 0.05);
    }

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private static bool Language(string path) => path.StartsWith("model.layers.", StringComparison.Ordinal);

    private static PeftConfig Config(VisionLanguageModel model, string start) => new()
    {
        BaseModel = PeftRun.Base,
        Lora = new LoraOptions { Start = LoraStart.Parse(start)! },
        TargetModules = [.. model.Ledger.Linears.Where(linear => linear.Lora is not null).Select(linear => model.Names.ToModule(linear.Path))],
    };

    /// <summary>The tiny model with the adapter as the reference began it: PEFT draws A and B of a module, then the directions of its decomposition.</summary>
    private static VisionLanguageModel Begun(string start)
    {
        var model = ModelSource.Open(PeftRun.Base).Load(new ModelOptions());
        var kind = LoraStart.Parse(start)!;
        var lora = new LoraOptions { Start = kind };
        Adapters.Attach(model.Ledger, new LoraOptions(), Language);
        Torch.Seed(1234);
        using var grad = Autograd.NoGrad();
        foreach (var linear in model.Ledger.Linears.Where(linear => linear.Lora is not null))
        {
            using var scope = TensorScope.Open("test");
            CreateOps.Empty(linear.Lora!.A.Shape).Uniform_(0, 1);
            CreateOps.Empty(linear.Lora.B.Shape).Uniform_(0, 1);
            var draw = kind.Iterations is null ? null : CreateOps.Empty([Math.Min(linear.Inputs, linear.Outputs), lora.Rank]).Normal_(0, 1);
            var (a, b) = kind.Factors(linear.Weight.Value, lora.Rank, lora.Scale, draw);
            linear.Lora.A.Value.Copy_(a);
            linear.Lora.B.Value.Copy_(b);
        }

        Adapters.TakeOut(model.Ledger);
        return model;
    }

    private List<(double Loss, double Norm)> Train(string name, string[] keys) => PeftRun.Train(Path.Combine(folder, name), keys);
}
