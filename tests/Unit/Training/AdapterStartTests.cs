using System.Text.RegularExpressions;
using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn.Lora;
using Fovea.Testing;
using Fovea.Training.Config;
using Fovea.Training.Planning;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>How adapters begin: whatever they begin with, the model's first pass is the base's; what is saved gives the same model again.</summary>
public sealed class AdapterStartTests : NativeTest
{
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-start-").FullName;

    [Theory]
    [InlineData("gaussian", DType.F32, 1e-5)]
    [InlineData("orthogonal", DType.F32, 1e-4)]
    [InlineData("pissa", DType.F32, 1e-4)]
    [InlineData("pissa_niter_3", DType.F32, 1e-4)]
    [InlineData("olora", DType.F32, 1e-4)]
    [InlineData("pissa", DType.BF16, 0.1)]
    [InlineData("pissa", DType.F32, 1e-4, true)]
    internal void The_first_forward_pass_is_the_base_s(string start, DType compute, double tolerance, bool decomposed = false)
    {
        using var model = SmallModel.Build(Options(compute));
        using var batch = MidModel.Batch(1);
        var before = Hidden(model, batch);
        Begin(model, start, decomposed);
        Near(before, Hidden(model, batch), tolerance);
        var linear = model.Ledger.Linears.First(linear => linear.Lora is not null);
        Assert.Equal(start is "pissa" or "olora" or "pissa_niter_3", linear.Lora!.Initial is not null);
        using var scope = TensorScope.Open("test");
        Assert.NotEqual(0, linear.Lora.A.Value.Norm().Item());
        Assert.Equal(start == "gaussian", linear.Lora.B.Value.Norm().Item() == 0);
    }

    [Fact]
    public void PiSSA_holds_the_largest_singular_values_and_leaves_the_others()
    {
        using var model = SmallModel.Build(Options(DType.F32));
        var linear = model.Ledger.Linears.First(linear => linear.Path.EndsWith("k_proj", StringComparison.Ordinal));
        using var scope = TensorScope.Open("test");
        var all = linear.Weight.Value.Svd().S.ToArray<float>();
        Begin(model, "pissa");
        var left = linear.Weight.Value.Svd().S.ToArray<float>();
        var held = linear.Lora!.Delta().Svd().S.ToArray<float>();
        Near(all[..8], held[..8], 1e-4);
        Near(all[8..], left[..^8], 1e-4);
        Assert.All(left[^8..], value => Assert.InRange(value, 0, 1e-4));
    }

    [Theory]
    [InlineData("pissa", false, false)]
    [InlineData("pissa", true, false)]
    [InlineData("olora", false, true)]
    [InlineData("olora", true, true)]
    [InlineData("orthogonal", false, false)]
    internal void Merged_it_computes_the_same(string start, bool deferred, bool decomposed)
    {
        using var model = Trained(start, decomposed);
        using var batch = MidModel.Batch(1);
        var expected = Hidden(model, batch);
        if (deferred)
        {
            using var waiting = Trained(start, decomposed, deferred: true);
            Adapters.Merge(waiting.Ledger);
            waiting.Ledger.Settle();
            Near(expected, Hidden(waiting, batch), 1e-4);
            return;
        }

        Adapters.Merge(model.Ledger);
        Near(expected, Hidden(model, batch), 1e-4);
    }

    [Theory]
    [InlineData("pissa", false)]
    [InlineData("pissa_niter_1", false)]
    [InlineData("olora", true)]
    [InlineData("gaussian", false)]
    internal void Saved_and_read_again_it_is_the_same_to_the_bit(string start, bool decomposed)
    {
        using var model = Trained(start, decomposed);
        using var batch = MidModel.Batch(1);
        var expected = Hidden(model, batch);
        var config = Config(model, start, decomposed);
        PeftAdapter.Save(model, config, folder);
        Assert.Equal(start, PeftConfig.Read(folder).Lora.Start.Name);
        using var read = SmallModel.Build(Options(DType.F32));
        PeftAdapter.Attach(read, Families.All[0], folder, trainable: false);
        Assert.Equal(expected, Hidden(read, batch));
        if (!config.Lora.Start.ChangesBase)
        {
            Assert.Empty(Directory.GetDirectories(folder));
            return;
        }

        // What is saved again is the same, file by file.
        var again = Path.Combine(folder, "again");
        PeftAdapter.Save(read, config, again);
        var inner = Path.Combine(InitialAdapter.FolderOf(config.Lora.Start), PeftAdapter.WeightsName);
        Assert.Equal(File.ReadAllBytes(Path.Combine(folder, inner)), File.ReadAllBytes(Path.Combine(again, inner)));
    }

    [Theory]
    [InlineData("pissa", false, false)]
    [InlineData("pissa_niter_1", false, true)]
    [InlineData("olora", true, false)]
    internal void Converted_it_works_over_the_whole_base_and_serves_beside_others(string start, bool decomposed, bool stabilized)
    {
        using var model = Trained(start, decomposed, stabilized: stabilized);
        using var batch = MidModel.Batch(1);
        var expected = Hidden(model, batch);
        var config = Config(model, start, decomposed, stabilized);
        InitialAdapter.WriteConverted(model, config, folder);
        var written = PeftConfig.Read(folder);
        Assert.Equal((16, LoraStart.Plain), (written.Lora.Rank, written.Lora.Start));
        Assert.Equal(config.Lora.Scale, written.Lora.Scale, 1e-10);

        using var read = SmallModel.Build(Options(DType.F32));
        if (decomposed)
        {
            PeftAdapter.Attach(read, Families.All[0], folder, trainable: false);
            Near(expected, Hidden(read, batch), 1e-4);
            return;
        }

        using var named = PeftAdapter.Open(read, Families.All[0], "one", folder);
        using (new AdapterRows(named).Open())
        {
            Near(expected, Hidden(read, batch), 1e-4);
        }

        var own = Path.Combine(folder, "own");
        PeftAdapter.Save(model, config, own);
        var refusal = Assert.Throws<ConfigException>(() => PeftAdapter.Open(read, Families.All[0], "one", own)).Message;
        Assert.Contains($"was trained over what {start} left of the base", refusal, StringComparison.Ordinal);
        Assert.Contains("pissa_convert: true", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pissa", 1e-3)]
    [InlineData("olora", 1e-3)]
    [InlineData("pissa_niter_4", null)]
    internal void Without_what_it_began_with_beside_it_the_base_is_decomposed_again(string start, double? tolerance)
    {
        using var model = Trained(start, decomposed: false);
        using var batch = MidModel.Batch(1);
        var expected = Hidden(model, batch);
        var config = Config(model, start);
        PeftAdapter.Save(model, config, folder);
        var initial = Path.Combine(folder, InitialAdapter.FolderOf(config.Lora.Start));
        Directory.Move(initial, Path.Combine(folder, "elsewhere"));
        using var read = SmallModel.Build(Options(DType.F32));
        PeftAdapter.Attach(read, Families.All[0], folder, trainable: false);
        if (tolerance is { } near)
        {
            Near(expected, Hidden(read, batch), near);
        }

        Assert.Equal(start == "pissa_niter_4", read.Notices.Any(notice => notice.Contains("they were drawn again", StringComparison.Ordinal)));

        // Where LLaMA-Factory has it for its checkpoints, and ms-swift's name.
        var checkpoint = Path.Combine(folder, "checkpoint-2");
        PeftAdapter.Save(model, config, checkpoint);
        Directory.Delete(Path.Combine(checkpoint, InitialAdapter.FolderOf(config.Lora.Start)), recursive: true);
        Directory.Move(Path.Combine(folder, "elsewhere"), Path.Combine(folder, "initial_model"));
        using var other = SmallModel.Build(Options(DType.F32));
        PeftAdapter.Attach(other, Families.All[0], checkpoint, trainable: false);
        Assert.Equal(expected, Hidden(other, batch));
    }

    [Theory]
    [InlineData("pissa", 200, "these have fewer: k_proj [128, ")]
    [InlineData("olora", 200, "(exclude_modules: [k_proj, v_proj]), ranks of their own (rank_pattern: {k_proj: 128, v_proj: 128}), or all ")]
    [InlineData("orthogonal", 3, "orthogonal needs even ranks, and these are odd: q_proj (3), ")]
    public void A_rank_that_does_not_go_with_it_is_refused(string start, int rank, string problem)
    {
        using var model = SmallModel.Build(Options(DType.F32));
        var error = Assert.Throws<ConfigException>(
            () => Adapters.Attach(model.Ledger, new LoraOptions { Rank = rank, Start = LoraStart.Parse(start)! }, Language));
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pissa_init: true", "")]
    [InlineData("init_weights: olora", "freeze_vision_tower: false\n")]
    public void Modules_that_are_too_small_are_all_named_and_each_remedy_works_as_it_is_written(string begin, string more)
    {
        var keys = $"model_name_or_path: {TestFiles.Golden("qwen3_5_moe/model")}\ndataset: x\noutput_dir: x\n{begin}\n{more}";
        void Attach(string remedy)
        {
            var config = TrainConfig.Parse($"{keys}{remedy}", "test");
            using var shapes = ModelShapes.Load(config, BaseModel.Open(config));
        }

        var message = Assert.Throws<ConfigException>(() => Attach(string.Empty)).Message;
        Assert.Contains("these have fewer: ", message, StringComparison.Ordinal);
        Assert.Contains("shared_expert_gate [1, ", message, StringComparison.Ordinal);
        var remedies = Regex.Matches(message, @"\((\w+: (?:\[[^\]]*\]|\{[^}]*\}|\d+))\)").Select(match => match.Groups[1].Value).ToList();
        Assert.Equal(["exclude_modules", "rank_pattern", "lora_rank"], remedies.Select(remedy => remedy.Split(':')[0]));
        Assert.All(remedies, Attach);
    }

    [Theory]
    [InlineData("pissa_init: true", "pissa_niter_16")]
    [InlineData("pissa_init: true\npissa_iter: -1", "pissa")]
    [InlineData("pissa_init: true\npissa_iter: 4\ninit_weights: pissa_niter_4", "pissa_niter_4")]
    [InlineData("init_weights: olora\npissa_convert: true", "olora")]
    [InlineData("init_lora_weights: gaussian", "gaussian")]
    [InlineData("init_weights: true", "true")]
    [InlineData("pissa_iter: 4", "true")]
    public void The_keys_say_how_adapters_begin(string keys, string start) => Assert.Equal(start, Parse(keys).Tuning.Start.Name);

    [Theory]
    [InlineData("init_weights: loftq", "loftq is not among true, gaussian, orthogonal, olora, pissa and pissa_niter_N: it rounds the base")]
    [InlineData("init_weights: pissa_niter_x", "pissa_niter_x is not among")]
    [InlineData("pissa_init: true\ninit_weights: olora", "contradicts init_weights: olora")]
    [InlineData("pissa_convert: true", "pissa_convert: true needs an adapter that takes a part out of the base")]
    [InlineData("pissa_init: true\nquantization_bit: 4", "pissa_init: true takes a part out of the base's own weights")]
    [InlineData("pissa_init: true\nlora_target_parameters: mlp.experts.down_proj", "lora_target_parameters goes with init_weights: true or gaussian")]
    [InlineData("pissa_init: true\nfinetuning_type: full", "pissa_init is only for finetuning_type: lora")]
    public void What_contradicts_itself_is_refused(string keys, string problem) =>
        Assert.Contains(problem, Assert.Throws<ConfigException>(() => Parse(keys)).Message, StringComparison.Ordinal);

    protected override void Cleanup() => Directory.Delete(folder, recursive: true);

    private static TrainConfig Parse(string keys) =>
        TrainConfig.Parse($"model_name_or_path: x\ndataset: x\noutput_dir: x\n{keys}", "test");

    private static bool Language(string path) => path.StartsWith("model.layers.", StringComparison.Ordinal);

    private static ModelOptions Options(DType compute) => new() { Compute = compute, Trainable = (_, _) => false };

    private static LoraOptions Lora(string start, bool decomposed = false, bool stabilized = false) =>
        new() { Start = LoraStart.Parse(start)!, Decomposed = decomposed, RankStabilized = stabilized };

    private static PeftConfig Config(VisionLanguageModel model, string start, bool decomposed = false, bool stabilized = false) => new()
    {
        Lora = Lora(start, decomposed, stabilized),
        TargetModules = [.. model.Ledger.Linears.Where(linear => linear.Lora is not null).Select(linear => model.Names.ToModule(linear.Path))],
    };

    private static void Begin(VisionLanguageModel model, string start, bool decomposed = false, bool stabilized = false)
    {
        Torch.Seed(4);
        Adapters.Attach(model.Ledger, Lora(start, decomposed, stabilized), Language);
        if (LoraStart.Parse(start)!.ChangesBase)
        {
            Adapters.TakeOut(model.Ledger);
        }
    }

    /// <summary>A model whose adapter has moved away from what it began with.</summary>
    private static VisionLanguageModel Trained(string start, bool decomposed, bool deferred = false, bool stabilized = false)
    {
        var model = SmallModel.Build(Options(DType.F32) with { Deferred = deferred });
        Begin(model, start, decomposed, stabilized);
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        Torch.Seed(5);
        foreach (var parameter in model.Ledger.AdapterParameters)
        {
            parameter.Value.Copy_(parameter.Value.Add(CreateOps.Empty(parameter.Shape).Normal_(0, 0.01)));
        }

        return model;
    }

    private static float[] Hidden(VisionLanguageModel model, PackedBatch batch)
    {
        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("test");
        return model.Hidden(model.Prepare(batch), null).To(DType.F32).ToArray<float>();
    }

    private static void Near(float[] expected, float[] actual, double tolerance)
    {
        var largest = expected.Zip(actual, (a, b) => Math.Abs((double)a - b)).Max();
        var scale = Math.Sqrt(expected.Average(value => (double)value * value));
        Assert.True(largest <= tolerance * Math.Max(1, scale), $"differs by {largest} where values are of {scale}");
    }
}
