using System.Buffers.Binary;
using System.Security.Cryptography;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Distributed;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;
using Fovea.Native;
using Fovea.Nn;
using Fovea.Testing;
using Fovea.Tests.Parity;
using Fovea.Training.Features;
using Fovea.Training.Objectives;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>Features that images have for layers of the decoder go wherever their embeddings go, and change nothing on the way.</summary>
public sealed class LayerFeatureTests : NativeTest
{
    private const string Model = "qwen2_5_vl_tiny/model";
    private const int Samples = 12;

    private static readonly DataOptions Data =
        new() { Dataset = ["tiny_shapes"], DatasetDir = TestFiles.Golden("qwen2_5_vl_tiny/data"), MaxSamples = Samples };

    private readonly string folder = Directory.CreateTempSubdirectory("fovea-layers").FullName;
    private readonly long memory = RawMemory.Live;

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Features_are_added_behind_their_layer_at_the_image_tokens_alone(int decoderLayers)
    {
        using var scope = TensorScope.Open("test");
        using var grad = Autograd.NoGrad();
        using var model = LayeredModel.Build(new ModelOptions(), decoderLayers);
        using var batch = MidModel.Batch(2);
        var input = model.Prepare(batch);
        var all = model.VisionFeatures(input)!;
        Assert.Equal(2, all.PerLayer.Count);
        var (none, one) = (all with { PerLayer = [] }, all with { PerLayer = [all.PerLayer[0]] });
        var (plain, first, both) = (Blocks(none), Blocks(one), Blocks(all));
        Same(plain["block0"].IndexAdd(0, input.ImageSlots!, all.PerLayer[0]), both["block0"]);
        Same(first["block1"].IndexAdd(0, input.ImageSlots!, all.PerLayer[1]), both["block1"]);
        Same(plain["input"], both["input"]);
        Assert.NotEqual(plain["block1"].ToArray<float>(), both["block1"].ToArray<float>());

        // Image tokens are among the rows that are asked for, behind the last layer too.
        var wanted = CreateOps.On(Device.Cpu, [3L, batch.ImageSlots[0], batch.ImageSlots[^1], batch.Tokens - 1]);
        Golden.Near("wanted", model.Hidden(input, all).IndexSelect(0, wanted).ToArray<float>(),
            model.Hidden(input with { Wanted = wanted }, all).ToArray<float>(), 1e-5);

        // An image that was cut off: the first of its rows stand in the stream.
        var rows = CreateOps.On(Device.Cpu, [0L, 1L, 5L]);
        var slots = input.ImageSlots!.Slice(0, 0, 3);
        Same(
            model.Hidden(input with { ImageSlots = slots }, all.Map(tensor => tensor.IndexSelect(0, rows))),
            model.Hidden(input with { ImageSlots = slots, FeatureRows = rows }, all));

        Dictionary<string, Tensor> Blocks(VisualFeatures features)
        {
            var seen = new Dictionary<string, Tensor>();
            model.Hidden(input, features, seen.Add);
            return seen;
        }
    }

    [Fact]
    public void More_features_than_layers_are_refused()
    {
        using var scope = TensorScope.Open("test");
        using var model = LayeredModel.Build(new ModelOptions(), decoderLayers: 1);
        using var batch = MidModel.Batch(1);
        var input = model.Prepare(batch);
        Assert.Throws<ArgumentException>(() => model.Hidden(input, model.VisionFeatures(input)));
    }

    [Fact]
    public void The_gradient_of_a_layers_features_is_that_of_the_hidden_states_they_are_added_to()
    {
        using var scope = TensorScope.Open("test");
        using var model = LayeredModel.Build(new ModelOptions { Trainable = (_, _) => true });
        using var batch = MidModel.Batch(1);
        var input = model.Prepare(batch);
        var features = model.VisionFeatures(input)!;
        var behind = new Dictionary<string, Tensor>();
        var root = model.Hidden(input, features, behind.Add).Mul(model.Hidden(input, null)).Sum();
        var gradients = Autograd.Gradients(root, [.. features.PerLayer, behind["block0"], behind["block1"]]);
        for (var layer = 0; layer < 2; layer++)
        {
            Assert.Contains(gradients[layer]!.ToArray<float>(), value => value != 0);
            Same(gradients[2 + layer]!.IndexSelect(0, input.ImageSlots!), gradients[layer]!);
        }
    }

    [Fact]
    public void Gradients_reach_the_tower_through_them_as_finite_differences_say()
    {
        using var model = LayeredModel.Build(new ModelOptions { Trainable = (part, _) => part == ModelPart.Vision });
        using var batch = MidModel.Batch(1);
        var runner = new StepRunner(model, visionLearns: true);
        runner.Train(batch, 0);
        foreach (var name in new[] { "visual.layers.0.linear.weight", "visual.layers.1.linear.bias", "visual.blocks.0.mlp.up_proj.weight" })
        {
            using var scope = TensorScope.Open("test");
            using var grad = Autograd.NoGrad();
            var weight = model.Ledger[name].Value;
            var gradient = weight.Grad()!;
            var (before, square) = (weight.ToArray<float>(), Math.Pow(gradient.Norm().Item(), 2));
            Assert.True(square > 0);
            var step = 0.01 / square;
            weight.Add_(gradient.Mul(step));
            var above = Loss();
            weight.Add_(gradient.Mul(-2 * step));
            var slope = (above - Loss()) / (2 * step);
            TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {slope:g6} for {square:g6}");
            Assert.InRange(slope / square, 0.98, 1.02);
            weight.Copy_(CreateOps.From(before).View(weight.Shape));
        }

        foreach (var parameter in model.Ledger.Trainable)
        {
            parameter.Value.SetGrad(null);
        }

        double Loss() => runner.Evaluate(batch).Loss;
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    internal void Gradients_are_bitwise_the_same_whatever_blocks_keep(DType dtype)
    {
        var kept = Gradients(dtype, BlockMode.Keep);
        Assert.All(kept.Where(g => g.Key.StartsWith("visual.", StringComparison.Ordinal)), g => Assert.Contains(g.Value, v => v != 0));
        foreach (var mode in new[] { BlockMode.Selective, BlockMode.Recompute })
        {
            foreach (var (name, gradient) in Gradients(dtype, mode))
            {
                Assert.True(kept[name].AsSpan().SequenceEqual(gradient), $"{name} with {mode}");
            }
        }
    }

    [Fact]
    public void Packed_samples_have_the_losses_of_samples_alone()
    {
        var packed = Losses(null);
        Assert.Equal(Samples, packed.Distinct().Count());
        Assert.All(packed.Zip(Losses(null, microBatch: 1)), pair => Assert.Equal(1, pair.Second / pair.First, 1e-5));
    }

    [Theory]
    [InlineData(false, false, false)]
    [InlineData(false, true, false)]
    [InlineData(false, true, true)]
    [InlineData(true, true, false)]
    [InlineData(true, true, true)]
    [Trait("Category", "Long")]
    public void Kept_in_memory_and_on_disk_they_give_bitwise_the_losses_of_computed_ones(bool projectorLearns, bool together, bool queued)
    {
        var computed = Losses(null, together: together, projectorLearns: projectorLearns);
        using (var kept = new VisionFeatureCache(1 << 24, () => "m", queued: queued))
        {
            Assert.Equal(computed, Losses(kept, together: together, projectorLearns: projectorLearns));
            Assert.Equal((Samples, Samples), (kept.Hits, kept.Misses)); // the second epoch is from memory
        }

        using (var cold = new VisionFeatureCache(0, () => "m", Open(), queued: queued))
        {
            Assert.Equal(computed, Losses(cold, together: together, projectorLearns: projectorLearns));
        }

        var files = Directory.GetFiles(Path.Combine(folder, "disk"), "*", SearchOption.AllDirectories);
        Assert.Equal(Samples, files.Length);
        Assert.All(files, file => Assert.Equal("FOVEAVF2"u8, File.ReadAllBytes(file).AsSpan(0, 8)));
        using var warm = new VisionFeatureCache(1 << 24, () => "m", Open(), queued: queued);
        Assert.Equal(computed, Losses(warm, together: together, projectorLearns: projectorLearns));
        Assert.Equal((Samples, 0), (warm.DiskHits, warm.Misses));
    }

    [Fact]
    public void A_file_without_them_is_what_it_always_was()
    {
        var key = Convert.ToHexString(SHA256.HashData("key"u8));
        var features = new ImageFeatures(Filled(24), 2, 3, DType.F32);
        var header = new byte[96];
        "FOVEAVF1"u8.CopyTo(header);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(8), (long)DType.F32);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(16), 2);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(24), 3);
        SHA256.HashData("key"u8).CopyTo(header, 32);
        SHA256.HashData(features.Memory.Bytes).CopyTo(header, 64);
        Assert.Equal([.. header, .. features.Memory.Bytes.ToArray()], Written(key, features));
        features.Memory.Release();
    }

    [Fact]
    public void A_file_with_them_reads_as_it_was_written_or_not_at_all()
    {
        var key = Convert.ToHexString(SHA256.HashData("key"u8));
        var features = new ImageFeatures(Filled(2 * (6 + (3 * 20))), 2, 3, DType.BF16) { Layers = 3, LayerRows = 4, LayerWidth = 5 };
        var file = Written(key, features);
        Assert.Equal(FeatureFile.LengthOf(features), file.Length);
        var read = FeatureFile.Read(new MemoryStream(file), key);
        Assert.Equal(features.Memory.Bytes.ToArray(), read.Memory.Bytes.ToArray());
        Assert.Equal(features with { Memory = read.Memory }, read);
        read.Memory.Release();
        features.Memory.Release();
        foreach (var place in new[] { 0, 7, 8, 16, 24, 32, 64, 96, 104, 112, 120, file.Length - 1 })
        {
            var damaged = (byte[])file.Clone();
            damaged[place] ^= 1;
            Assert.Throws<InvalidDataException>(() => FeatureFile.Read(new MemoryStream(damaged), key));
        }

        foreach (var length in new[] { 0, 95, 96, 119, 120, file.Length - 1 })
        {
            Assert.Throws<InvalidDataException>(() => FeatureFile.Read(new MemoryStream(file[..length]), key));
        }
    }

    [Fact]
    public void A_file_of_embeddings_alone_is_never_found_for_a_model_with_them()
    {
        var family = ModelSource.Open(TestFiles.Golden(Model)).Family;
        var media = new Qwen2VlMedia(Qwen2VlImageProcessor.Load(TestFiles.Golden(Model)));
        using var with = LayeredModel.Build(new ModelOptions());
        using var without = LayeredModel.Build(new ModelOptions(), keepsLayers: false);
        Assert.NotEqual(VisionIdentity.Of(with, family, media), VisionIdentity.Of(without, family, media));
        Assert.NotEqual(VisionIdentity.Of(with, family, media, towerOnly: true), VisionIdentity.Of(without, family, media, towerOnly: true));
    }

    [Fact]
    public void Generation_with_a_cache_of_keys_and_values_gives_the_logits_of_the_whole_sequence()
    {
        using var model = LayeredModel.Build(new ModelOptions());
        var (ids, image) = MidModel.Prompt();
        var prompt = new Prompt(Array.ConvertAll(ids, id => (int)id), [image]);
        var greedy = new GenerationOptions { DoSample = false, MaxNewTokens = 6 };
        var cached = new List<float[]>();
        using var generator = new GenerationEngine(model) { Watch = (_, logits) => cached.Add([.. logits]) };
        var made = generator.Generate(prompt, greedy).Ids;
        Assert.Equal(6, cached.Count);
        for (var step = 0; step < cached.Count; step++)
        {
            Golden.Near($"step {step}", Whole(made.Take(step), all => all), cached[step], 1e-5);
        }

        Assert.True(cached[0].Zip(Whole([], all => all with { PerLayer = [] })).Max(pair => Math.Abs(pair.First - pair.Second)) > 1e-2);

        // The image comes only in the second prompt, behind what the cache holds.
        generator.Reset();
        generator.Generate(new Prompt(prompt.Ids[..image.Offset], []), greedy with { MaxNewTokens = 1 });
        cached.Clear();
        Assert.Equal(image.Offset, generator.Generate(prompt, greedy with { MaxNewTokens = 1 }).ReusedTokens);
        Golden.Near("continued", Whole([], all => all), cached[0], 1e-5);

        float[] Whole(IEnumerable<int> more, Func<VisualFeatures, VisualFeatures> change)
        {
            using var grad = Autograd.NoGrad();
            using var scope = TensorScope.Open("test");
            var all = ids.Concat(more.Select(id => (long)id)).ToArray();
            var input = model.PreparePrompt(all, prompt.Images, 0, new PackedAttention(new Segments([0, all.Length])), out _);
            var hidden = model.Hidden(input, change(model.VisionFeatures(input)!));
            return hidden.Slice(0, all.Length - 1, all.Length).Linear(model.Head.Use()).ToArray<float>();
        }
    }

    [Theory]
    [InlineData(1, BlockMode.Keep)]
    [InlineData(2, BlockMode.Keep)]
    [InlineData(3, BlockMode.Keep)]
    [InlineData(3, BlockMode.Recompute)]
    internal void Divided_weights_give_the_losses_of_whole_ones(int stage, BlockMode mode)
    {
        var whole = Steps(stage: 0, BlockMode.Keep);
        Assert.Equal(4, whole.Distinct().Count());
        Assert.All(whole.Zip(Steps(stage, mode)), pair => Assert.Equal(1, pair.Second / pair.First, 1e-5));
    }

    protected override void Cleanup()
    {
        Assert.Equal(memory, RawMemory.Live);
        Directory.Delete(folder, recursive: true);
    }

    private static void Same(Tensor expected, Tensor actual) => Assert.True(expected.ToArray<float>().AsSpan().SequenceEqual(actual.ToArray<float>()));

    private static HeapMemory Filled(int bytes)
    {
        var filled = HeapMemory.Allocate(bytes);
        new Random(1).NextBytes(filled.Bytes);
        return filled;
    }

    private static byte[] Written(string key, ImageFeatures features)
    {
        using var stream = new MemoryStream();
        FeatureFile.Write(stream, key, features);
        return stream.ToArray();
    }

    private static Dictionary<string, float[]> Gradients(DType dtype, BlockMode mode)
    {
        using var model = LayeredModel.Build(new ModelOptions { Compute = dtype, BlockMode = mode, Trainable = (_, _) => true });
        using var batch = MidModel.Batch(1);
        new StepRunner(model, visionLearns: true).Train(batch, 0);
        var gradients = new Dictionary<string, float[]>();
        foreach (var parameter in model.Ledger.Trainable)
        {
            using var scope = TensorScope.Open("test");
            gradients[parameter.Name] = parameter.Value.Grad()!.ToArray<float>();
            parameter.Value.SetGrad(null);
        }

        return gradients;
    }

    /// <summary>Steps of two samples; six are an epoch.</summary>
    private static DataPipeline Pipeline(LoadedData data, int steps, int microBatch, VisionFeatureCache? cache)
    {
        var media = new Qwen2VlMedia(Qwen2VlImageProcessor.Load(TestFiles.Golden(Model)));
        return new DataPipeline(
            data.Train, new SampleEncoder(ChatTemplates.Qwen2Vl, Tokenizer.Load(TestFiles.Golden(Model)), media, Data), media,
            new SampleOrder(new OrderOptions { Samples = Samples, Shuffle = false, BatchSize = 2, Accumulation = 1 }),
            new PlanOptions { MicroBatchTokens = microBatch }, new PipelineOptions { EndStep = steps, ReadySteps = 1, Features = cache });
    }

    /// <summary>Adapters in the decoder learn, or the projector alone.</summary>
    private static List<double> Losses(VisionFeatureCache? cache, bool together = false, bool projectorLearns = false, int microBatch = 4096)
    {
        using var model = LayeredModel.Build(new ModelOptions { Trainable = (part, _) => projectorLearns && part == ModelPart.Projector });
        if (!projectorLearns)
        {
            SmallModel.Adapt(model);
        }

        using var optimizer = new AdamW(model.Ledger.Trainable, 0.9, 0.999, 1e-8, 0);
        using var data = DatasetLoader.Load(Data);
        using var pipeline = Pipeline(data, Samples, microBatch, cache);
        var runner = new StepRunner(model, visionLearns: projectorLearns, cache: cache, together: together);
        var losses = new List<double>();
        while (pipeline.TryNext(out var step))
        {
            using (step)
            using (TensorScope.Open("step"))
            {
                losses.Add(optimizer.Update(1e-2, 1, runner.Queue(step)).ToArray<double>()[0]);
            }
        }

        return losses;
    }

    /// <summary>All weights learn, whole or divided.</summary>
    private static List<double> Steps(int stage, BlockMode mode)
    {
        using var mesh = Mesh.Alone();
        using var model = LayeredModel.Build(new ModelOptions { BlockMode = mode, Deferred = stage > 0, Trainable = (_, _) => true });
        using var session = TrainSession.Over(
            model, parts => new AdamW(parts, 0.9, 0.999, 1e-8, 0), new SessionOptions { VisionLearns = true }, mesh,
            stage == 0 ? null : new ZeroSharding(mesh, model.Ledger, model.Head, new ShardingOptions { Stage = stage }));
        var objective = new TokenLoss();
        using var data = DatasetLoader.Load(Data);
        using var feed = session.Feed(Pipeline(data, 4, 4096, null), objective);
        var losses = new List<double>();
        while (feed.Next() is { } step)
        {
            using (step)
            {
                var loss = session.Accumulate(step, objective);
                losses.Add(session.Update(step, loss, 1e-3).Loss!.Value);
            }
        }

        return losses;
    }

    private FeatureFolder Open() => new(Path.Combine(folder, "disk"), 1 << 30, text => Assert.Fail(text));
}
