using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Distributed;
using Fovea.Models;
using Fovea.Nn.Lora;
using Fovea.Training.Objectives;
using Fovea.Training.Optim;
using Fovea.Training.Session;

namespace Fovea.Tests.Unit.Training;

/// <summary>Batches that are sent ahead are the ones that are trained on.</summary>
public sealed class StepFeedTests : NativeTest
{
    private const int Steps = 4;

    [Fact]
    public void Looking_ahead_changes_no_loss()
    {
        var plain = Losses(lookAhead: false, stopAfter: Steps);
        Assert.Equal(Steps, plain.Distinct().Count());
        Assert.Equal(plain, Losses(lookAhead: true, stopAfter: Steps), TestDevice.SameRun);
    }

    [Fact]
    public void What_was_sent_ahead_of_a_stop_is_freed() => Assert.Equal(2, Losses(lookAhead: true, stopAfter: 2).Count);

    private static List<double> Losses(bool lookAhead, int stopAfter)
    {
        var folder = TestFiles.Golden("qwen2_5_vl_tiny/model");
        var options = new DataOptions { Dataset = ["tiny_shapes"], DatasetDir = TestFiles.Golden("qwen2_5_vl_tiny/data") };
        var stage = new Qwen2VlMedia(Qwen2VlImageProcessor.Load(folder));
        using var data = DatasetLoader.Load(options);
        var order = new SampleOrder(new OrderOptions { Samples = 64, Shuffle = false, BatchSize = 1, Accumulation = 3 });
        var pipeline = new DataPipeline(
            data.Train, new SampleEncoder(ChatTemplates.Qwen2Vl, Tokenizer.Load(folder), stage, options), stage, order,
            new PlanOptions { MicroBatchTokens = 1 }, new PipelineOptions { EndStep = Steps });
        Torch.Seed(5);
        using var model = ModelSource.Open(folder).Load(new ModelOptions { Device = TestDevice.Device });
        Adapters.Attach(model.Ledger, new LoraOptions { Rank = 4 }, path => path.StartsWith("model.layers.", StringComparison.Ordinal));
        using var session = TrainSession.Over(
            model, parts => new AdamW(parts, 0.9, 0.999, 1e-8, 0), new SessionOptions());
        var objective = new TokenLoss();
        using var feed = new StepFeed(pipeline, session.Runner, objective, Mesh.Alone(), lookAhead);
        var losses = new List<double>();
        while (losses.Count < stopAfter && feed.Next() is { } step)
        {
            using (step)
            {
                Assert.Equal(3, step.Batch.MicroBatches.Count);
                var loss = session.Accumulate(step, objective);
                SpinWait.SpinUntil(() => !lookAhead || pipeline.Ready > 0 || losses.Count == Steps - 1, TimeSpan.FromSeconds(5));
                losses.Add(session.Update(step, loss, 1e-2).Loss!.Value);
            }
        }

        return losses;
    }
}
