using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Models;
using Fovea.Native;
using Fovea.Nn.Lora;
using Fovea.Events;
using Fovea.Runs.Events;
using Fovea.Runs.Files;
using Fovea.Training.Config;
using Fovea.Training.Features;
using Fovea.Training.Optim;
using Fovea.Training.Recipes;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>Cached vision features change no number, survive damage, and never stand for another image, processor or model.</summary>
public sealed class FeatureCacheTests : NativeTest
{
    private static readonly string Model = TestFiles.Golden("qwen2_5_vl_tiny/model");
    private static readonly ImageGrid Grid = new(1, 4, 4);
    private readonly string folder = Directory.CreateTempSubdirectory("fovea-cache").FullName;
    private readonly long memory = RawMemory.Live;
    private readonly List<string> warnings = [];

    private string Disk => Path.Combine(folder, "disk");

    [Fact]
    [Trait("Category", "Long")]
    public void Two_epochs_with_a_cache_and_a_run_on_a_warm_disk_have_bitwise_the_losses_of_a_run_without()
    {
        var plain = Run("plain", "cache_vision_features=false");
        Assert.Equal(12, plain.Length);
        Assert.Equal(plain, Run("memory", "vision_cache_dir=none"));
        Assert.Equal(plain, Run("cold", $"vision_cache_dir={Disk}"));
        Assert.NotEmpty(Files());
        Assert.Equal(plain, Run("warm", $"vision_cache_dir={Disk}", "profile=true"));
        Assert.DoesNotContain("vision block", File.ReadAllText(Path.Combine(folder, "warm", "trace.json")));
        Assert.Equal(plain, Run("one order", "cache_vision_features=false", "deterministic=true")); // the CPU has one order anyway
        Assert.Equal(plain, Run("nothing fits", $"vision_cache_dir={Disk}", "vision_cache_memory=1"));
        Assert.Empty(warnings);
    }

    [Fact]
    public void A_damaged_or_truncated_file_is_told_computed_again_and_replaced()
    {
        var plain = Run("cold", $"vision_cache_dir={Disk}");
        var files = Files().Select(path => (Path: path, Bytes: File.ReadAllBytes(path))).ToList();
        Truncate(files[0].Path, 50);
        Truncate(files[1].Path, (int)new FileInfo(files[1].Path).Length - 1);
        var flipped = (byte[])files[2].Bytes.Clone();
        flipped[^7] ^= 1;
        File.WriteAllBytes(files[2].Path, flipped);
        File.WriteAllBytes(files[3].Path, []);
        Assert.Equal(plain, Run("damaged", $"vision_cache_dir={Disk}"));
        Assert.Equal(4, warnings.Count(w => w.Contains("damaged")));
        Assert.All(files, file => Assert.Equal(file.Bytes, File.ReadAllBytes(file.Path)));
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_told_once_and_the_run_goes_on()
    {
        File.WriteAllText(Path.Combine(folder, "file"), string.Empty);
        Assert.Equal(Run("plain", "cache_vision_features=false"), Run("blocked", $"vision_cache_dir={Path.Combine(folder, "file", "below")}"));
        Assert.Contains("vision_cache_dir", Assert.Single(warnings));
    }

    [Fact]
    public void A_changed_image_misses_and_the_old_content_hits_again()
    {
        using var cache = new VisionFeatureCache(1 << 20, () => "model");
        var image = Image("a", "first");
        using var first = cache.Ask(new(image), Grid)!;
        Image("a", "second content");
        Assert.False(cache.IsCurrent(first));
        using var second = cache.Ask(new(image), Grid)!;
        Assert.NotEqual(first.Key, second.Key);
        using var copy = cache.Ask(new(Image("b", "first")), Grid)!;
        Assert.Equal(first.Key, copy.Key);
        using var other = cache.Ask(new(image), new ImageGrid(1, 8, 2))!;
        Assert.NotEqual(second.Key, other.Key);
        using var elsewhere = new VisionFeatureCache(1 << 20, () => "another model");
        using var foreign = elsewhere.Ask(new(image), Grid)!;
        Assert.NotEqual(second.Key, foreign.Key);
        Assert.Null(cache.Ask(new(Path.Combine(folder, "none.png")), Grid));
    }

    [Fact]
    public void Another_image_size_weight_or_element_type_is_another_identity()
    {
        var source = ModelSource.Open(Model);
        var family = source.Family;
        var identities = new List<string>();
        foreach (var dtype in new[] { DType.F32, DType.BF16 })
        {
            using var model = source.Load(new ModelOptions { Compute = dtype, Trainable = (_, _) => true });
            identities.Add(VisionIdentity.Of(model, family, source.Process(new PreResize()).Images));
            identities.Add(VisionIdentity.Of(model, family, source.Process(new PreResize(100_000)).Images));
            using var grad = Autograd.NoGrad();
            using var scope = TensorScope.Open("test");
            model.Ledger["model.layers.0.mlp.up_proj.weight"].Value.Mul_(2);
            Assert.Equal(identities[^2], VisionIdentity.Of(model, family, source.Process(new PreResize()).Images));
            model.Ledger["visual.merger.ln_q.weight"].Value.Mul_(1.5);
            identities.Add(VisionIdentity.Of(model, family, source.Process(new PreResize()).Images));
        }

        Assert.Equal(6, identities.Distinct().Count());
    }

    [Fact]
    public void The_least_recently_used_files_of_earlier_runs_go_first_and_this_runs_own_stay()
    {
        const long size = FeatureFile.HeaderBytes + 64;
        using (var earlier = Open(10 * size))
        {
            Put(earlier, 0, 1, 2, 3);
        }

        // An hour ago, the last two used more lately.
        for (var i = 0; i < 4; i++)
        {
            File.SetLastWriteTimeUtc(PathOf(i), DateTime.UtcNow.AddHours(i - 5));
        }

        using (var run = Open(4 * size))
        {
            Release(run.Read(KeyOf(0)));
            Put(run, 4, 5);
        }

        Assert.Equal([0, 3, 4, 5], Enumerable.Range(0, 6).Where(i => File.Exists(PathOf(i))));
        Assert.Empty(warnings);
        using (var run = Open(3 * size))
        {
            Put(run, 6, 7, 8, 9);
        }

        Assert.Equal([6, 7, 8], Enumerable.Range(0, 10).Where(i => File.Exists(PathOf(i))));
        Assert.Contains("vision_cache_disk", Assert.Single(warnings));
    }

    [Fact]
    public void Several_writers_and_readers_of_one_folder_see_whole_files_only()
    {
        var found = 0;
        Parallel.For(0, 4, _ =>
        {
            for (var round = 0; round < 10; round++)
            {
                using var own = Open(1 << 20); // each counts the files before it writes its first, while others' come and go
                Put(own, 0, 1, 2, 3, 4, 5, 6, 7);
                for (var i = 0; i < 8; i++)
                {
                    if (own.Read(KeyOf(i)) is { } features)
                    {
                        Assert.All(features.Memory.Bytes.ToArray(), b => Assert.Equal(i, b));
                        Interlocked.Increment(ref found);
                        Release(features);
                    }
                }
            }
        });
        Assert.True(found > 0);
        Assert.Empty(warnings);
        Assert.Equal(8, Files().Length);
    }

    [Fact]
    public void A_ticket_keeps_its_features_when_the_cache_drops_them()
    {
        var image = Image("a", "content");
        ImageTicket ticket;
        using (var disk = Open(1 << 20))
        {
            using var probe = new VisionFeatureCache(0, () => "m");
            using var asked = probe.Ask(new(image), Grid)!;
            var features = Features(7);
            disk.Write(asked.Key, features);
            Release(features);
        }

        using (var cache = new VisionFeatureCache(1 << 20, () => "m", Open(1 << 20)))
        {
            ticket = cache.Ask(new(image), Grid)!;
            Assert.Equal((1, 64), (cache.DiskHits, cache.Bytes));
        }

        Assert.All(ticket.Features!.Memory.Bytes.ToArray(), b => Assert.Equal(7, b));
        ticket.Dispose();
        ticket.Dispose();
        Assert.Throws<ObjectDisposedException>(ticket.Features.Memory.AddRef);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Copies_that_are_queued_as_for_a_card_keep_the_same_features_and_losses(bool onDisk)
    {
        var computed = Losses(null);
        using var plain = new VisionFeatureCache(1 << 20, () => "m");
        Assert.Equal(computed, Losses(plain));
        var disk = onDisk ? Open(1 << 20) : null;
        using (var cache = new VisionFeatureCache(1 << 20, () => "m", disk, queued: true))
        {
            Assert.Equal(computed, Losses(cache));
            Assert.Equal(plain.Bytes, cache.Bytes);
            Assert.Equal((12, 12), (cache.Hits, cache.Misses)); // the second epoch is from memory
        }

        if (onDisk)
        {
            Assert.Equal(12, Files().Length); // the last ones too, which no later batch took in
            using var warm = new VisionFeatureCache(1 << 20, () => "m", Open(1 << 20), queued: true);
            Assert.Equal(computed, Losses(warm));
            Assert.Equal((12, 0), (warm.DiskHits, warm.Misses));
        }
    }

    protected override void Cleanup()
    {
        Torch.Deterministic(false);
        Assert.Equal(memory, RawMemory.Live);
        Directory.Delete(folder, recursive: true);
    }

    private static string KeyOf(int i) => $"{i:X2}".PadLeft(64, '0');

    private static void Release(ImageFeatures? features) => features?.Memory.Release();

    private static void Truncate(string path, int length)
    {
        using var stream = File.OpenWrite(path);
        stream.SetLength(length);
    }

    private static ImageFeatures Features(int fill)
    {
        var bytes = HeapMemory.Allocate(64);
        bytes.Bytes.Fill((byte)fill);
        return new ImageFeatures(bytes, 4, 4, DType.F32);
    }

    private static void Put(FeatureFolder disk, params int[] numbers)
    {
        foreach (var number in numbers)
        {
            var features = Features(number);
            disk.Write(KeyOf(number), features);
            Release(features);
        }
    }

    private FeatureFolder Open(long budget) => new(Disk, budget, text =>
    {
        lock (warnings)
        {
            warnings.Add(text);
        }
    });

    private string PathOf(int i) => Path.Combine(Disk, KeyOf(i)[..2], KeyOf(i) + ".features");

    private string[] Files() => [.. Directory.GetFiles(Disk, "*", SearchOption.AllDirectories).Order()];

    private string Image(string name, string content)
    {
        var path = Path.Combine(folder, name);
        File.WriteAllText(path, content);
        return path;
    }

    /// <summary>Of two epochs over 12 images, about two of them at once through the tower. No step is prepared an epoch ahead.</summary>
    private static List<double> Losses(VisionFeatureCache? cache)
    {
        var options = new DataOptions { Dataset = ["tiny_shapes"], DatasetDir = TestFiles.Golden("qwen2_5_vl_tiny/data"), MaxSamples = 12 };
        var stage = new Qwen2VlMedia(Qwen2VlImageProcessor.Load(Model));
        using var data = DatasetLoader.Load(options);
        Torch.Seed(5);
        using var model = ModelSource.Open(Model).Load(new ModelOptions());
        Adapters.Attach(model.Ledger, new LoraOptions { Rank = 4 }, path => path.StartsWith("model.layers.", StringComparison.Ordinal));
        using var optimizer = new AdamW(model.Ledger.Trainable, 0.9, 0.999, 1e-8, 0);
        using var pipeline = new DataPipeline(
            data.Train, new SampleEncoder(ChatTemplates.Qwen2Vl, Tokenizer.Load(Model), stage, options), stage,
            new SampleOrder(new OrderOptions { Samples = 12, Shuffle = false, BatchSize = 2, Accumulation = 1 }), new PlanOptions { MicroBatchTokens = 4096 },
            new PipelineOptions { EndStep = 12, ReadySteps = 1, Features = cache });
        var runner = new StepRunner(model, visionLearns: false, cache: cache, together: true);
        var losses = new List<double>();
        while (pipeline.TryNext(out var step))
        {
            using (step)
            using (TensorScope.Open("step"))
            {
                losses.Add(optimizer.Update(1e-2, 1, runner.Queue(step)).ToArray<double>()[0]);
            }
        }

        Assert.Equal(12, losses.Count);
        return losses;
    }

    private double[] Run(string name, params string[] overrides)
    {
        var output = Path.Combine(folder, name);
        var config = TrainConfig.Parse(
            $"""
            model_name_or_path: {Model}
            dataset: tiny_shapes
            dataset_dir: {TestFiles.Golden("qwen2_5_vl_tiny/data")}
            output_dir: {output}
            template: qwen2_vl
            max_samples: 24
            per_device_train_batch_size: 4
            learning_rate: 1.0e-3
            num_train_epochs: 2
            logging_steps: 1
            save_strategy: no
            """,
            "test",
            overrides);
        SupervisedFineTune.Run(config, [new Warnings(warnings)]);
        var state = TrainerState.Load(Path.Combine(output, TrainerState.FileName));
        return [.. state.LogHistory.Where(e => e.ContainsKey("loss")).Select(e => Convert.ToDouble(e["loss"]))];
    }

    private sealed class Warnings(List<string> told) : IEventSink
    {
        public void Write(RunEvent e)
        {
            if (e is Warning warning)
            {
                told.Add(warning.Text);
            }
        }
    }
}
