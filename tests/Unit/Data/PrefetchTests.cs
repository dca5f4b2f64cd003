using System.Diagnostics;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;
using Fovea.Models;
using Fovea.Nn.Lora;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Data;

/// <summary>Training on images that are slow to decode: they are decoded while the step computes, not while it waits.</summary>
public sealed class PrefetchTests : NativeTest
{
    [Fact]
    public void Training_waits_for_far_less_than_the_decoding_takes()
    {
        var options = new DataOptions { Dataset = ["tiny_shapes"], DatasetDir = TestFiles.Golden("qwen2_5_vl_tiny/data") };
        var folder = TestFiles.Golden("qwen2_5_vl_tiny/model");
        var processor = ModelSource.Open(folder).Process(new PreResize());
        var slow = new SlowMedia(processor.Images);
        using var data = DatasetLoader.Load(options);
        using var model = ModelSource.Open(folder).Load(new ModelOptions());
        Adapters.Attach(model.Ledger, new LoraOptions { Rank = 4, Alpha = 8 }, path => path.StartsWith("model.layers.", StringComparison.Ordinal));
        var runner = new StepRunner(model, visionLearns: false);
        var encoder = new SampleEncoder(ChatTemplates.Qwen2Vl, processor.Tokenizer, slow, options);
        var order = new SampleOrder(new OrderOptions { Samples = data.Train.Count, Shuffle = false, BatchSize = 8 });
        using var pipeline = new DataPipeline(
            data.Train, encoder, slow, order, new PlanOptions(), new PipelineOptions { EndStep = 8, Workers = 3, ReadySteps = 2 });
        var (waited, steps) = (TimeSpan.Zero, 0);
        while (true)
        {
            var start = Stopwatch.GetTimestamp();
            var more = pipeline.TryNext(out var step);
            waited += Stopwatch.GetElapsedTime(start);
            if (!more)
            {
                break;
            }

            using (step)
            {
                Assert.All(step!.MicroBatches, batch => Assert.InRange(runner.Train(batch, step.Step, StepTotals.Of(step)).Loss, 0, 100));
                steps++;
            }
        }

        Assert.Equal(8, steps);
        Assert.True(slow.Decoding > TimeSpan.FromSeconds(1), $"decoding took {slow.Decoding}");
        Assert.True(waited < slow.Decoding * 0.75, $"waited {waited} for what took {slow.Decoding} to decode");
    }

    /// <summary>Each picture takes 30 ms longer. Counts how long decoding took, over all threads.</summary>
    private sealed class SlowMedia(IMediaProcessor images) : IMediaProcessor
    {
        private long ticks;

        public int PatchLength => images.PatchLength;

        public string Identity => images.Identity;

        internal TimeSpan Decoding => TimeSpan.FromTicks(Interlocked.Read(ref ticks));

        public MediaPlan Plan(MediaHeader header) => images.Plan(header);

        public void Process(MediaPlan plan, MediaContent content, ReadOnlySpan<Memory<float>> parts)
        {
            var start = Stopwatch.GetTimestamp();
            Thread.Sleep(30);
            images.Process(plan, content, parts);
            Interlocked.Add(ref ticks, Stopwatch.GetElapsedTime(start).Ticks);
        }
    }
}
