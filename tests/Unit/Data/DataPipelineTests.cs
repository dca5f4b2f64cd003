using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Native;
using Fovea.Training.Features;

namespace Fovea.Tests.Unit.Data;

public sealed class DataPipelineTests : IDisposable
{
    private static readonly Tokenizer Tokenizer = Tokenizer.Load(TestFiles.Golden("qwen2_5_vl_tiny/model"));
    private readonly TempFolder folder = new();
    private readonly FakeMedia images = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Steps_come_in_order_with_the_pixels_of_their_own_images(int workers)
    {
        using var data = Load(24);
        var order = Order(24);
        using var pipeline = Pipeline(data, order, new PipelineOptions { EndStep = 12, Workers = workers });
        var expected = Order(24);
        for (var s = 0; s < 12; s++)
        {
            Assert.True(pipeline.TryNext(out var step));
            using (step)
            {
                Assert.Equal(s, step.Step);
                Assert.Equal(expected.BatchesOf(s).SelectMany(b => b), step.MicroBatches.SelectMany(b => b.SampleIndices));
                foreach (var batch in step.MicroBatches)
                {
                    Assert.Equal(batch.Patches, batch.Grids.Sum(g => g.Patches));
                    Assert.Equal(batch.ImageSlots.Length * 4, batch.Patches);
                    var at = 0;
                    foreach (var grid in batch.Grids)
                    {
                        Assert.All(batch.Pixels.AsSpan(at, grid.Patches * 3).ToArray(), v => Assert.Equal(grid.Patches, v));
                        at += grid.Patches * 3;
                    }
                }
            }
        }

        Assert.False(pipeline.TryNext(out _));
        Assert.False(pipeline.TryNext(out _));
    }

    [Fact]
    public void A_resumed_pipeline_delivers_what_the_uninterrupted_one_does()
    {
        using var data = Load(10);
        var whole = Drain(Pipeline(data, Order(10), new PipelineOptions { EndStep = 9 }));
        var rest = Drain(Pipeline(data, Order(10), new PipelineOptions { FirstStep = 4, EndStep = 9 }));
        Assert.Equal(whole.Skip(4), rest);
    }

    [Fact]
    public void A_bad_image_ends_the_run_at_its_step_and_is_named()
    {
        using var data = Load(8, torn: 5);
        using var pipeline = Pipeline(data, Order(8, shuffle: false), new PipelineOptions { EndStep = 4 });
        Assert.True(pipeline.TryNext(out var first));
        first.Dispose();
        Assert.True(pipeline.TryNext(out var second));
        second.Dispose();
        var error = Assert.Throws<BadSampleException>(() => pipeline.TryNext(out _));
        Assert.Contains("row 6", error.Message);
        Assert.Contains("5.txt", error.Message);
        Assert.Contains("ends too early", error.Message);
        Assert.Throws<BadSampleException>(() => pipeline.TryNext(out _));
    }

    [Theory]
    [InlineData(BadSamplePolicy.Skip, 1)]
    [InlineData(BadSamplePolicy.Resample, 2)]
    internal void A_bad_sample_is_left_out_or_replaced_and_reported(BadSamplePolicy policy, int expected)
    {
        using var data = Load(8, torn: 5);
        using var pipeline = Pipeline(data, Order(8, shuffle: false), new PipelineOptions { FirstStep = 2, EndStep = 4, OnBadSample = policy });
        Assert.True(pipeline.TryNext(out var step));
        using (step)
        {
            var indices = step.MicroBatches.SelectMany(b => b.SampleIndices).ToList();
            Assert.Equal(expected, indices.Count);
            Assert.Equal(4, indices[0]);
            Assert.DoesNotContain(5, indices);
            var bad = Assert.Single(step.BadSamples);
            Assert.Equal(("d.jsonl", 6), (bad.Dataset, bad.Row));
        }

        Assert.True(pipeline.TryNext(out var next));
        using (next)
        {
            Assert.Empty(next.BadSamples);
            Assert.Equal([6, 7], next.MicroBatches.SelectMany(b => b.SampleIndices));
        }
    }

    [Fact]
    public void What_replaces_a_bad_sample_is_drawn_from_all_others_and_the_same_for_any_ranks_threads_and_first_step()
    {
        using var data = Load(8, torn: 5);
        const int epochs = 60;
        var drawn = Replacements(data, 0, epochs, workers: 1);
        Assert.Equal(epochs, drawn.Count);
        Assert.Equal([0, 1, 2, 3, 4, 6, 7], drawn.Distinct().Order());
        Assert.Equal(drawn[20..], Replacements(data, 20, epochs, workers: 4));
        Assert.Equal(drawn, Replacements(data, 0, epochs, workers: 3, ranks: 2));
        Assert.NotEqual(drawn, Replacements(data, 0, epochs, workers: 1, seed: 8));
    }

    [Fact]
    public void Resampling_gives_up_when_nothing_is_usable()
    {
        using var data = Load(2, torn: 0);
        folder.Write("1.txt", FakeMedia.Picture(2, 4, torn: true));
        using var pipeline = Pipeline(data, Order(2), new PipelineOptions { EndStep = 1, OnBadSample = BadSamplePolicy.Resample });
        var error = Assert.Throws<ConfigException>(() => pipeline.TryNext(out _));
        Assert.Contains("2 samples in a row", error.Message);
    }

    [Fact]
    public void It_works_only_a_little_ahead()
    {
        using var data = Load(400);
        using var pipeline = Pipeline(data, Order(400), new PipelineOptions { EndStep = 200, Workers = 1, ReadySteps = 2 });
        for (var wait = 0; wait < 200 && pipeline.Ready < 2; wait++)
        {
            Thread.Sleep(10);
        }

        Assert.Equal(2, pipeline.Ready);
        Thread.Sleep(50);
        Assert.InRange(images.Loaded, 1, 20);
    }

    [Fact]
    public void It_can_be_stopped_at_any_time_and_a_waiting_reader_can_give_up()
    {
        using var data = Load(50);
        var pipeline = Pipeline(data, Order(50), new PipelineOptions { EndStep = 1_000_000 });
        Assert.True(pipeline.TryNext(out var step));
        step.Dispose();
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => pipeline.TryNext(out _, cancelled.Token));
        pipeline.Dispose();
    }

    [Fact]
    public void Real_images_arrive_as_the_processor_makes_them()
    {
        var options = new DataOptions { Dataset = ["tiny_shapes"], DatasetDir = TestFiles.Golden("qwen2_5_vl_tiny/data") };
        var processor = Qwen2VlImageProcessor.Load(TestFiles.Golden("qwen2_5_vl_tiny/model"));
        var stage = new Qwen2VlMedia(processor);
        using var data = DatasetLoader.Load(options);
        var encoder = new SampleEncoder(ChatTemplates.Qwen2Vl, Tokenizer, stage, options);
        var order = Order(64, shuffle: false);
        var plan = new PlanOptions { MicroBatchTokens = 1000 };
        using var pipeline = new DataPipeline(data.Train, encoder, stage, order, plan, new PipelineOptions { FirstStep = 4, EndStep = 5 });
        Assert.True(pipeline.TryNext(out var step));
        using (step)
        {
            // Samples 8 and 9: one image, then two.
            var batch = Assert.Single(step.MicroBatches);
            Assert.Equal(["008_0.png", "009_0.png", "009_1.png"], batch.ImagePaths.Select(p => Path.GetFileName(p)));
            var expected = batch.ImagePaths.SelectMany(p => processor.Process(ImageReader.Read(p)).Patches).ToArray();
            Assert.Equal(1176, batch.PatchLength);
            Assert.Equal(expected, batch.Pixels.AsSpan(0, batch.Patches * batch.PatchLength).ToArray());
        }
    }

    [Fact]
    public void Images_whose_features_are_at_hand_are_not_decoded_and_bring_no_pixels()
    {
        var live = RawMemory.Live;
        var store = new FakeStore { Known = path => path.EndsWith("1.txt", StringComparison.Ordinal) };
        using var data = Load(8);
        using (var pipeline = Pipeline(data, Order(8, shuffle: false), new PipelineOptions { EndStep = 100, Features = store }))
        {
            for (var s = 0; s < 4; s++)
            {
                Assert.True(pipeline.TryNext(out var step));
                using (step)
                {
                    foreach (var batch in step.MicroBatches)
                    {
                        Assert.Equal(batch.Grids.Length, batch.Tickets.Count);
                        Assert.Equal(batch.Grids.Where((_, i) => batch.NeedsPixels(i)).Sum(g => g.Patches), batch.Patches);
                        Assert.All(batch.Tickets, (t, i) => Assert.Equal(store.Known(batch.ImagePaths[i]), !batch.NeedsPixels(i)));
                    }
                }
            }
        }

        // What was prepared and not taken has been given back too.
        Assert.Equal(live, RawMemory.Live);
        var decoded = images.Loaded;
        store.Known = _ => true;
        Drain(Pipeline(data, Order(8), new PipelineOptions { EndStep = 4, Features = store }));
        Assert.Equal(decoded, images.Loaded);
        Assert.Equal(live, RawMemory.Live);
    }

    private static SampleOrder Order(int samples, bool shuffle = true) =>
        new(new OrderOptions { Samples = samples, Shuffle = shuffle, BatchSize = 1, Accumulation = 2 });

    /// <summary>What stands for sample 5 in each of these epochs.</summary>
    private List<int> Replacements(LoadedData data, int first, int end, int workers, int ranks = 1, long seed = 7)
    {
        var found = new List<int>();
        for (var rank = 0; rank < ranks; rank++)
        {
            var options = new OrderOptions { Samples = 8, Shuffle = false, BatchSize = 1, Accumulation = 8 / ranks, Rank = rank, WorldSize = ranks };
            using var pipeline = Pipeline(data, new SampleOrder(options), new PipelineOptions
            {
                FirstStep = first, EndStep = end, Workers = workers, OnBadSample = BadSamplePolicy.Resample, IsTraining = true, Seed = seed,
            });
            while (pipeline.TryNext(out var step))
            {
                var own = Enumerable.Range(0, 8).Where(i => i % ranks == rank).ToList();
                var at = own.IndexOf(5);
                found.AddRange(at < 0 ? [] : [step.MicroBatches.SelectMany(b => b.SampleIndices).ElementAt(at)]);
                step.Dispose();
            }
        }

        return found;
    }

    private static List<string> Drain(DataPipeline pipeline)
    {
        using var owned = pipeline;
        var steps = new List<string>();
        while (pipeline.TryNext(out var step))
        {
            var ids = step.MicroBatches.SelectMany(b => b.Ids);
            var weights = step.MicroBatches.SelectMany(b => b.GroupTokens);
            steps.Add($"{step.Step}: {string.Join(',', ids)} {string.Join(',', weights)}");
            step.Dispose();
        }

        return steps;
    }

    /// <summary>Rows with one image each, every fourth without; the image of row <paramref name="torn"/> (from 0) cannot be decoded.</summary>
    private LoadedData Load(int rows, int torn = -1)
    {
        var lines = new List<string>();
        for (var i = 0; i < rows; i++)
        {
            folder.Write($"{i}.txt", i == torn ? FakeMedia.Picture(2, 4, torn: true) : FakeMedia.Picture(2 + (2 * (i % 3)), 4));
            var image = i == torn || i % 4 != 0;
            lines.Add($"{{\"instruction\":\"{(image ? "<image>" : "")}Q{i}\",\"output\":\"A{i}\",\"images\":[{(image ? $"\"{i}.txt\"" : "")}]}}");
        }

        folder.Write("d.jsonl", string.Join('\n', lines));
        return DatasetLoader.Load(new DataOptions { Dataset = ["d.jsonl"], DatasetDir = folder.Root });
    }

    private sealed class FakeStore : IFeatureStore
    {
        public required Func<string, bool> Known { get; set; }

        public FeatureTicket Ask(MediaContent image, ImageGrid grid, int part = 0) => new ImageTicket(
            image.Source, image.Source.Name, Known(image.Source.Name) ? new ImageFeatures(HeapMemory.Allocate(4), 1, 1, DType.F32) : null, default);

        public bool IsCurrent(FeatureTicket ticket) => true;
    }

    private DataPipeline Pipeline(LoadedData data, SampleOrder order, PipelineOptions options)
    {
        var encoder = new SampleEncoder(ChatTemplates.Qwen2Vl, Tokenizer, images, new DataOptions { Dataset = [] });
        return new DataPipeline(data.Train, encoder, images, order, new PlanOptions { MicroBatchTokens = 64 }, options);
    }
}
