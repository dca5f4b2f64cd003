using System.Text.Json;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Templates;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn;
using Fovea.Training.Config;
using Fovea.Training.Optim;
using Fovea.Training.Session;

using LossReduction = Fovea.Data.Packing.LossReduction;

namespace Fovea.Tests.Parity;

/// <summary>
/// The training runs of a golden of the Qwen line (its README.md says which files): four rows a step in file order, with our own ids, labels and pixels.
/// </summary>
internal sealed class GridRun : IDisposable
{
    private const int RowsPerStep = 4;
    private const long ImageToken = 1990;
    private readonly string golden;
    private readonly LoadedData data;
    private readonly EncodedSample[] samples;
    private readonly IMediaProcessor images;
    private readonly Dictionary<string, float[][]> pixels = [];
    private ExpertTargets? experts;

    /// <param name="golden">The folder in tests/goldens.</param>
    /// <param name="template">Null for the family's own.</param>
    /// <param name="full">Whether every weight learns.</param>
    /// <param name="family">Options of the family; null for its defaults.</param>
    public GridRun(string golden, BlockMode mode = BlockMode.Keep, string? template = null, bool full = false, FamilyOptions? family = null)
    {
        this.golden = golden;
        Source = ModelSource.Open(TestFiles.Golden($"{golden}/model"));
        var processor = Source.Process();
        var options = new DataOptions { Dataset = ["train"], DatasetDir = TestFiles.Golden($"{golden}/data") };
        var encoder = (processor with { Template = template is null ? processor.Template : ChatTemplates.Get(template) }).NewEncoder(options);
        data = DatasetLoader.Load(options);
        samples = [.. Enumerable.Range(0, data.Train.Count).Select(i => encoder.Encode(data.Train[i]))];
        images = processor.Images;
        Model = Source.Load(new ModelOptions { BlockMode = mode, Device = TestDevice.Device, Trainable = (_, _) => full, Family = family });
    }

    public ModelSource Source { get; }

    public VisionLanguageModel Model { get; }

    /// <summary>The adapter that LLaMA-Factory's <c>all</c> puts, with the golden's initial values; or another one of the golden's.</summary>
    public PeftConfig Attach(string adapter = "adapter_init")
    {
        var config = PeftAdapter.Attach(Model, Source.Family, TestFiles.Golden($"{golden}/{adapter}"), trainable: true);
        experts = new ExpertTargets(Model, config.TargetParameters);
        return config;
    }

    /// <summary>Trains whatever is trainable; every loss, norm and rate must be the golden's.</summary>
    /// <param name="run">The golden's file, without its extension.</param>
    /// <param name="afterClip">Sees the optimizer after the first step's gradients are clipped.</param>
    /// <param name="rowsPerBatch">Rows of a batch, of which a step has four in all.</param>
    /// <param name="noisy">A step whose norm of gradients may, relatively, be off by more than in all others; the golden's README says why.</param>
    public void Train(
        string run, int microBatchTokens, bool visionLearns, Action<AdamW>? afterClip = null, int rowsPerBatch = 1, (int Step, double Norm)? noisy = null)
    {
        var expected = Golden.Json(TestFiles.Golden($"{golden}/{run}.json"));
        var (log, rate) = (expected.GetProperty("log").EnumerateArray().ToList(), expected.GetProperty("settings").GetProperty("lr").GetDouble());
        var warmup = log.Count == 20 ? 2 : 1;
        var schedule = new Schedule(
            TrainConfig.Parse(
                $"learning_rate: {rate}\nlr_scheduler_type: cosine\nwarmup_steps: {warmup}\nmodel_name_or_path: x\ndataset: x\noutput_dir: x", "test").Schedule,
            log.Count);
        using var optimizer = new AdamW(Model.Ledger.Trainable, 0.9, 0.999, 1e-8, 0);
        var runner = new StepRunner(Model, visionLearns);
        for (var step = 0; step < log.Count; step++)
        {
            var rows = log[step].GetProperty("samples").EnumerateArray().Select(row => row.GetInt32()).ToArray();
            Assert.Equal(Enumerable.Range(step * RowsPerStep, RowsPerStep).Select(row => row % samples.Length), rows);
            using var batch = Plan(rows, microBatchTokens, step, rowsPerBatch);
            var loss = batch.MicroBatches.Sum(micro => runner.Train(micro, step, StepTotals.Of(batch)).Loss);
            var norm = optimizer.Clip(1);
            Assert.Equal(log[step].GetProperty("lr").GetDouble(), schedule.Rate(step), 1e-12);
            Assert.Equal(log[step].GetProperty("loss").GetDouble(), loss, TestDevice.Tolerance(1e-4));
            var off = (norm / log[step].GetProperty("grad_norm").GetDouble()) - 1;
            TestContext.Current.TestOutputHelper?.WriteLine($"{run} step {step}: norm off by {off:g2}");
            Assert.True(
                Math.Abs(off) <= TestDevice.Tolerance(step == noisy?.Step ? noisy.Value.Norm : 1e-3),
                $"{run} step {step}: the norm of gradients is off by {off:g2}");
            if (step == 0)
            {
                CompareNorms(expected.GetProperty("first_step_clipped_grad_norms"), optimizer);
                afterClip?.Invoke(optimizer);
            }

            optimizer.Step(schedule.Rate(step));
        }
    }

    /// <summary>Values of a weight as Transformers 5 holds it: experts of a checkpoint of the hub, whose inputs come first, turned.</summary>
    public static float[] AsTransformersHas(Tensor weight) => (weight.Shape.Length == 3 ? weight.Transpose().Contiguous() : weight).ToArray<float>();

    /// <summary>A training row as the model's input.</summary>
    public ModelInput Input(int row)
    {
        using var batch = Plan([row], 1_000_000, 0);
        return Model.Prepare(batch.MicroBatches[0]);
    }

    /// <summary>A training row, encoded.</summary>
    public StepSample Sample(int row) => new(row, samples[row]);

    /// <summary>A sample of the golden's forward passes as the model's input.</summary>
    public ModelInput Forward(string name)
    {
        var json = Golden.Json(TestFiles.Golden($"{golden}/forward.json")).GetProperty("samples").GetProperty(name);
        var rows = Golden.Json(TestFiles.Golden($"{golden}/data/forward_rows.json")).GetProperty(name);
        long[] ids = [.. json.GetProperty("input_ids").EnumerateArray().Select(id => id.GetInt64())];
        string[] paths = rows.TryGetProperty("images", out var list) ? [.. list.EnumerateArray().Select(path => path.GetString()!)] : [];
        var (at, prompt) = (0, new List<PromptImage>());
        foreach (var path in paths)
        {
            var media = images.Process(MediaSource.FromFile(Path.Combine(TestFiles.Golden($"{golden}/data"), path)));
            at = Array.IndexOf(ids, ImageToken, at);
            prompt.Add(new PromptImage(media.Parts[0], at, media.Plan.Tokens[0]));
            at += media.Plan.Tokens[0];
        }

        return Model.PreparePrompt(ids, prompt, 0, new PackedAttention(new Segments([0, ids.Length])), out _);
    }

    /// <summary>The name that the golden has for a weight: of the module tree, and PEFT's for an adapter's.</summary>
    public string NameOf(string weight)
    {
        var at = weight.IndexOf(".lora_", StringComparison.Ordinal);
        return at < 0 ? Model.Names.ToModule(weight)
            : (experts?.ToFile(Model, weight) ?? Model.Names.ToModule(weight)).Replace(".weight", ".default.weight", StringComparison.Ordinal);
    }

    public void Dispose()
    {
        Model.Dispose();
        data.Dispose();
    }

    private void CompareNorms(JsonElement norms, AdamW optimizer)
    {
        var compared = 0;
        using var scope = TensorScope.Open("test");
        foreach (var part in optimizer.Parts)
        {
            var name = NameOf(part.Name);
            var expected = (norms.TryGetProperty(name, out var own) ? own : norms.GetProperty($"base_model.model.{name}")).GetDouble();
            var found = part.Value.Grad() is { } gradient ? gradient.To(DType.F64).Norm().Item() : 0;
            Assert.True(Math.Abs(found - expected) <= 1e-3 * expected + 1e-6, $"{part.Name}: the gradient's norm is {found}, expected {expected}");
            compared++;
        }

        Assert.Equal(norms.EnumerateObject().Count(), compared);
    }

    /// <summary>A step of training rows, one a batch or more.</summary>
    public StepBatch Plan(int[] rows, int microBatchTokens, int step, int rowsPerBatch = 1)
    {
        var groups = rows.Chunk(rowsPerBatch).Select(batch => (IReadOnlyList<StepSample>)[.. batch.Select(row => new StepSample(row, samples[row]))]).ToArray();
        var plan = StepPlanner.Plan(step, groups, new PlanOptions { MicroBatchTokens = microBatchTokens, Reduction = LossReduction.Token });
        foreach (var batch in plan.MicroBatches)
        {
            var target = batch.AllocatePixels(batch.Grids.Sum(grid => grid.Patches), images.PatchLength);
            var (last, part) = (string.Empty, 0);
            foreach (var path in batch.ImagePaths)
            {
                if (!pixels.TryGetValue(path, out var parts))
                {
                    pixels[path] = parts = [.. images.Process(MediaSource.FromFile(path)).Parts.Select(each => each.Patches)];
                }

                (part, last) = (path == last && part + 1 < parts.Length ? part + 1 : 0, path);
                parts[part].CopyTo(target);
                target = target[parts[part].Length..];
            }
        }

        return plan;
    }
}
