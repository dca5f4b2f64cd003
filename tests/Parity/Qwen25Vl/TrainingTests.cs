using System.Text.Json;
using Fovea.Data.Packing;
using Fovea.Files.Safetensors;
using Fovea.Models;
using Fovea.Models.Qwen25Vl;
using Fovea.Nn;
using Fovea.Nn.FourBit;
using Fovea.Nn.Lora;
using Fovea.Training.Config;
using Fovea.Training.Features;
using Fovea.Training.Optim;
using Fovea.Training.Session;

using LossReduction = Fovea.Data.Packing.LossReduction;

namespace Fovea.Tests.Parity.Qwen25Vl;

/// <summary>
/// 20 steps of LoRA against PyTorch + PEFT from the same adapter (tests/goldens/qwen2_5_vl_tiny/make/ref_train.py): 8 samples a step in file order.
/// </summary>
public sealed class TrainingTests : NativeTest
{
    private const int Steps = 20;
    private const int SamplesPerStep = 8;
    private readonly TinySamples samples = new();
    private Qwen25VlModel? model;
    private AdamW? optimizer;
    private VisionFeatureCache? cache;
    private FourBitOptions? fourBit;

    /// <summary>Against PEFT over bitsandbytes' own layers (tests/goldens/nf4/generate.py), from the same adapter, computing in fp32.</summary>
    [Theory]
    [InlineData("train_double_lr1e-4", true, 1_000_000, false)]
    [InlineData("train_double_lr5e-3", true, 300, true)]
    [InlineData("train_single_lr1e-4", false, 1, false)]
    public void QLoRA_over_a_base_in_4_bits_agrees_in_every_step(string run, bool doubleQuantization, int microBatchTokens, bool recompute)
    {
        fourBit = new FourBitOptions(FourBitType.Nf4, doubleQuantization);
        Agrees(Golden.Json(TestFiles.Golden($"nf4/{run}.json")), LossReduction.Token, microBatchTokens, recompute);
        Assert.Equal(28, model!.Ledger.Linears.Count(linear => linear.Weight.Packed is not null));
    }

    [Theory]
    [InlineData("train_tokens", "token", 1_000_000, false)]
    [InlineData("train_tokens", "token", 1, false)]
    [InlineData("train_tokens", "token", 300, true)]
    [InlineData("train_mean", "mean", 400, true)]
    [InlineData("train_tokens_lr0.005", "token", 1_000_000, true)]
    public void Losses_and_gradient_norms_of_every_step_agree_however_samples_are_packed(string run, string reduction, int microBatchTokens, bool recompute)
    {
        var golden = Golden.Json(TestFiles.Golden($"qwen2_5_vl_tiny/{run}.json"));
        Agrees(golden, reduction == "token" ? LossReduction.Token : LossReduction.Mean, microBatchTokens, recompute);
    }

    private void Agrees(JsonElement golden, LossReduction reduction, int microBatchTokens, bool recompute)
    {
        var log = Train(golden.GetProperty("settings").GetProperty("lr").GetDouble(), reduction, microBatchTokens, recompute);
        for (var step = 0; step < Steps; step++)
        {
            var expected = golden.GetProperty("log")[step];
            Assert.Equal(expected.GetProperty("lr").GetDouble(), log[step].Rate, 1e-12);
            Assert.Equal(expected.GetProperty("loss").GetDouble(), log[step].Loss, TestDevice.Tolerance(1e-4));
            Assert.Equal(expected.GetProperty("grad_norm").GetDouble(), log[step].Norm, TestDevice.Tolerance(1e-3));
        }
    }

    [Fact]
    public void Clipped_gradients_of_the_first_steps_and_logits_after_the_last_agree()
    {
        using var golden = new Golden(TestFiles.Golden("qwen2_5_vl_tiny/train_tokens.safetensors"));
        var compared = 0;
        Train(1e-4, LossReduction.Token, 2048, recompute: true, afterClip: step =>
        {
            if (step > 2)
            {
                return;
            }

            foreach (var parameter in optimizer!.Parts)
            {
                var weight = parameter.Name.Replace("model.layers", "model.language_model.layers").Replace(".weight", ".default.weight");
                var name = $"grad_after_clip.step{step}.{weight}";
                using var scope = TensorScope.Open("test");
                Golden.NearRelative(name, golden.Floats(name), parameter.Value.Grad()!.ToArray<float>(), 1e-4);
                compared++;
            }
        });
        Assert.Equal(3 * 56, compared);
        foreach (var index in new[] { 0, 5 })
        {
            using var grad = Autograd.NoGrad();
            using var scope = TensorScope.Open("test");
            using var step = samples.Plan(0, [index], LossReduction.Token, 4096);
            var input = model!.Prepare(step.MicroBatches[0]);
            golden.Near($"final_logits.s{index}", model.Hidden(input, model.VisionFeatures(input)).Linear(model.Head.Use()), 1e-4);
        }
    }

    [Fact]
    public void Mean_with_two_samples_a_batch_is_the_mean_of_the_batches_means_by_the_formula()
    {
        model = (Qwen25VlModel)ModelSource.Open(TestFiles.Golden("qwen2_5_vl_tiny/model")).Load(new ModelOptions());
        var runner = new StepRunner(model, visionLearns: false);

        // Samples of unequal lengths in batches of two, the last one short.
        int[][] batches = [[0, 5], [9, 2], [1]];
        var batchMeans = new List<double>();
        foreach (var batch in batches)
        {
            var (sum, tokens) = (0.0, 0);
            foreach (var sample in batch)
            {
                using var alone = samples.Plan(0, [sample], LossReduction.Token, 4096);
                var losses = runner.Evaluate(alone.MicroBatches[0]).TokenLosses;
                Assert.Equal(samples.All[sample].TrainedTokens, losses.Length);
                sum += losses.Sum(l => (double)l);
                tokens += losses.Length;
            }

            batchMeans.Add(sum / tokens);
        }

        var expected = batchMeans.Average();
        var groups = batches.Select(batch => (IReadOnlyList<StepSample>)[.. batch.Select(i => new StepSample(i, samples.All[i]))]).ToArray();
        using var step = samples.WithPixels(StepPlanner.Plan(0, groups, new PlanOptions { MicroBatchTokens = 200, Reduction = LossReduction.Mean }));
        Assert.True(step.MicroBatches.Count > 1);
        Assert.Equal(expected, step.MicroBatches.Sum(micro => runner.Evaluate(micro, StepTotals.Of(step)).Loss), 1e-5);

        // Not the mean over all tokens, nor over samples: the batches differ in length.
        using var byToken = samples.WithPixels(StepPlanner.Plan(0, groups, new PlanOptions { MicroBatchTokens = 4096, Reduction = LossReduction.Token }));
        Assert.NotEqual(expected, byToken.MicroBatches.Sum(micro => runner.Evaluate(micro, StepTotals.Of(byToken)).Loss), 1e-4);
    }

    [Fact]
    public void Noise_on_embeddings_is_NEFTunes()
    {
        // The golden's draw, in [-1, 1); image features take the place of noisy placeholders.
        using var golden = new Golden(TestFiles.Golden("optim/neftune.safetensors"));
        var expected = Golden.Json(TestFiles.Golden("optim/neftune.json")).EnumerateArray().ToList();
        model = (Qwen25VlModel)ModelSource.Open(TestFiles.Golden("qwen2_5_vl_tiny/model")).Load(new ModelOptions { Device = TestDevice.Device });
        var runner = new StepRunner(model, visionLearns: false);
        using var step = samples.Plan(0, [0], LossReduction.Token, 4096);
        using var scope = TensorScope.Open("test");
        var (tokens, width) = (expected[0].GetProperty("length").GetInt32(), expected[0].GetProperty("hidden").GetInt32());
        var unit = CreateOps.On(TestDevice.Device, golden.Floats("s0.unit_noise"), tokens, width);
        model.Ledger.TokenNoise = unit.Mul(EmbeddingNoise.Magnitude(5, tokens, width));

        Assert.Equal(expected[0].GetProperty("loss").GetDouble(), runner.Evaluate(step.MicroBatches[0]).TokenLosses.Average(), TestDevice.Tolerance(1e-4));
        using (Autograd.NoGrad())
        {
            var input = model.Prepare(step.MicroBatches[0]);
            var logits = model.Hidden(input, model.VisionFeatures(input)).Linear(model.Head.Use());
            golden.Near("s0.last_logits", logits.Slice(0, tokens - 2, tokens), 1e-4);
        }

        model.Ledger.TokenNoise = null;
        Assert.All(
            expected.Skip(1),
            one => Assert.Equal(one.GetProperty("loss").GetDouble(), runner.Evaluate(step.MicroBatches[0]).TokenLosses.Average(), TestDevice.Tolerance(1e-4)));
    }

    [Fact]
    public void Cached_vision_features_change_no_loss()
    {
        var plain = Train(5e-3, LossReduction.Token, 600, recompute: false);
        Cleanup();
        cache = new VisionFeatureCache(64 << 20);
        var cached = Train(5e-3, LossReduction.Token, 600, recompute: false);
        Assert.True(cache.Hits > 0);
        for (var step = 0; step < Steps; step++)
        {
            Assert.Equal(plain[step].Loss, cached[step].Loss, TestDevice.SameRun);
        }
    }

    protected override void Cleanup()
    {
        optimizer?.Dispose();
        model?.Dispose();
        cache?.Dispose();
        (optimizer, model, cache) = (null, null, null);
    }

    private List<(double Loss, double Norm, double Rate)> Train(
        double rate, LossReduction reduction, int microBatchTokens, bool recompute, Action<int>? afterClip = null)
    {
        model = (Qwen25VlModel)ModelSource.Open(TestFiles.Golden("qwen2_5_vl_tiny/model")).Load(
            new ModelOptions { BlockMode = recompute ? BlockMode.Recompute : BlockMode.Keep, Device = TestDevice.Device, FourBit = fourBit });
        AttachInitialAdapter();
        optimizer = new AdamW(model.Ledger.Trainable, 0.9, 0.999, 1e-8, 0);
        var yaml = $"learning_rate: {rate}\nlr_scheduler_type: cosine\nwarmup_ratio: 0.1\nmodel_name_or_path: x\ndataset: x\noutput_dir: x";
        var schedule = new Schedule(TrainConfig.Parse(yaml, "test").Schedule, Steps);
        var runner = new StepRunner(model, visionLearns: false, cache: cache);
        var log = new List<(double, double, double)>();
        for (var step = 0; step < Steps; step++)
        {
            var indices = Enumerable.Range(step * SamplesPerStep, SamplesPerStep).Select(i => i % samples.All.Length);
            using var batch = samples.Plan(step, [.. indices], reduction, microBatchTokens);
            if (afterClip is null)
            {
                var (sum, gradients) = Queued(runner, batch, schedule.Rate(step));
                log.Add((sum, gradients, schedule.Rate(step)));
                continue;
            }

            var loss = batch.MicroBatches.Sum(micro => runner.Train(micro, step, StepTotals.Of(batch)).Loss);
            var norm = optimizer.Clip(1);
            afterClip(step);
            optimizer.Step(schedule.Rate(step));
            log.Add((loss, norm, schedule.Rate(step)));
        }

        return log;
    }

    /// <summary>The step as a run makes it: everything queued, one reading at the end.</summary>
    private (double Loss, double Norm) Queued(StepRunner runner, StepBatch batch, double rate)
    {
        using var scope = TensorScope.Open("step");
        var result = optimizer!.Update(rate, 1, runner.Queue(batch)).ToArray<double>();
        return (result[0], result[1]);
    }

    private void AttachInitialAdapter()
    {
        using var file = Checkpoint.OpenAdapter(TestFiles.Golden("qwen2_5_vl_tiny/adapter_init"));
        var saved = new CheckpointSource(file, name => model!.Names.ToLedger(name["base_model.model.".Length..]));
        Adapters.Attach(
            model!.Ledger,
            new LoraOptions { Rank = 8, Alpha = 16 },
            path => !path.StartsWith("visual") && path != "lm_head",
            saved);
    }
}
